"""Streams of a job, and where a reader of one is: what both clients share."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from vppo_core.spec.status import Progress, VPPOJobStatus
from vppo_services.cli.client.calls import Query, Stream, job_path, parsed
from vppo_services.cli.client.history_calls import LogFilter
from vppo_services.cli.client.problems import ApiProblem, interrupted
from vppo_services.cli.client.retries import Retries
from vppo_services.cli.client.shapes import Event, LogLine, MetricsLine
from vppo_services.cli.client.sse import EventReader, ServerEvent

PATIENCE_SECONDS: Final = 300.0
RECONNECT_SECONDS: Final = 2.0
LONGEST_RECONNECT_SECONDS: Final = 15.0


@dataclass(frozen=True, slots=True)
class StreamReset:
    """What was read so far no longer stands: the stream starts anew behind this."""


Watched = VPPOJobStatus | Progress | Event | StreamReset
Item = TypeVar("Item")


def watch(name: str, after: str) -> Stream[Watched]:
    """Status, progress and events of a job."""
    return Stream(path=job_path(name, "events"), read=_watched, after=after)


def log_lines(
    name: str, after: str, *, wanted: LogFilter, tail: int | None
) -> Stream[LogLine | StreamReset]:
    """Log lines of a job."""
    path = job_path(name, "logs")
    return Stream(path=path, read=_log, query=wanted.query(), after=after, tail=tail)


def metrics_lines(name: str, after: str) -> Stream[MetricsLine | StreamReset]:
    """Numbers of a job's steps."""
    return Stream(path=job_path(name, "metrics"), read=_metric, after=after)


class Following(Generic[Item]):
    """One reader of one stream, over as many connections as it takes."""

    def __init__(self, stream: Stream[Item], retries: Retries, *, address: str) -> None:
        self.path = stream.path
        self.is_over = False
        """Whether the server said that nothing more will come."""
        self._query = stream.query
        self._tail = stream.tail
        self._read = stream.read
        self._retries = retries
        self._address = address
        self._last_id = stream.after
        self._reader = EventReader(stream.after)
        self._reconnect_seconds = RECONNECT_SECONDS
        self.was_heard = False
        """Whether anything ever came."""
        self.failures = 0
        """Connections in a row that ended before anything came."""
        self._waited = 0.0

    def query(self) -> Query:
        """Parameters of the next connection."""
        is_first = self._tail is not None and not self._last_id
        return [*self._query, ("tail", self._tail)] if is_first else self._query

    def headers(self) -> dict[str, str]:
        """Headers of the next connection; it starts a new text of events."""
        self._reader = EventReader(self._last_id)
        base = {"accept": "text/event-stream", "cache-control": "no-store"}
        return {**base, "last-event-id": self._last_id} if self._last_id else base

    def take(self, piece: bytes) -> Iterator[Item]:
        """What these bytes say."""
        self.was_heard, self.failures, self._waited = True, 0, 0.0
        for event in self._reader.feed(piece):
            self._last_id = event.id
            if event.kind == "end":
                self.is_over = True
                return
            item = self._read(event)
            if item is not None:
                yield item
        self._reconnect_seconds = self._reader.retry_seconds or self._reconnect_seconds

    def pause(self, problem: ApiProblem | None) -> float:
        """Seconds until the next connection, after one that ended.

        Raises:
            ApiProblem: the server was not to be had from the start, or was away for too long.
        """
        self.failures += 1
        if not self.was_heard and problem is not None:
            wait = self._retries.wait(self.failures, problem, is_repeatable=True)
            if wait is None:
                raise problem
            return wait
        if self._waited >= PATIENCE_SECONDS:
            raise problem or interrupted(self._address, "the stream ends without a word")
        asked = problem.facts.retry_after_seconds if problem else None
        grown = self._reconnect_seconds * 2.0 ** min(self.failures - 1, 8)
        wait = max(asked or 0.0, min(grown, LONGEST_RECONNECT_SECONDS))
        self._waited += wait
        return wait


def _watched(event: ServerEvent) -> Watched | None:
    if event.kind == "status":
        return parsed(VPPOJobStatus, event.data)
    if event.kind == "progress":
        return Progress() if event.data == "null" else parsed(Progress, event.data)
    if event.kind == "event":
        return parsed(Event, event.data)
    return _reset(event)


def _log(event: ServerEvent) -> LogLine | StreamReset | None:
    return parsed(LogLine, event.data) if event.kind == "log" else _reset(event)


def _metric(event: ServerEvent) -> MetricsLine | StreamReset | None:
    return parsed(MetricsLine, event.data) if event.kind == "metric" else _reset(event)


def _reset(event: ServerEvent) -> StreamReset | None:
    return StreamReset() if event.kind == "reset" else None
