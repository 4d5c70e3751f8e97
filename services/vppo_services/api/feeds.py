"""What can be read as pages or followed as a stream: events, metrics and logs of a job."""

import json
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from typing import Any, Final

from vppo_core.archive.errors import BadCursorError
from vppo_core.archive.records import EventRecord, timestamp
from vppo_core.archive.run_records import Lines, LogLine, MetricsLine
from vppo_services.api.job_store import JobStore
from vppo_services.api.sse import frame

READ_LINES: Final = 200
"""Lines that one call of the store gives, where nobody asked for a number."""

MAX_SCANNED_LINES: Final = 100_000
"""Lines that one page looks through for those that its filter wants."""


class LogLevel(StrEnum):
    """How serious a log line is."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


_RANKS: Final = {level.value: rank for rank, level in enumerate(LogLevel)}


@dataclass(frozen=True)
class Item:
    """One event, step or log line, as JSON; shared by all its readers."""

    position: str
    """Reading after it gives the next one."""

    event: str
    """Its name in a stream."""

    text: bytes
    level: str = ""
    attempt: int = 0

    @cached_property
    def message(self) -> bytes:
        """The item as a message of a stream."""
        return frame(self.event, self.text, position=self.position)


@dataclass(frozen=True, slots=True)
class Batch:
    """Some items and the position behind them."""

    items: tuple[Item, ...]
    end: str
    is_reset: bool = False
    """Whether the position asked for is gone: the items start at the beginning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """How to read one kind."""

    kind: str
    read: Callable[[JobStore, str, str, int], Batch]
    """Of a store, a job's uid, a position ("" is the beginning), and the most items."""

    is_known: Callable[[JobStore, str, str], bool]
    """Whether a position is one of this job, where `read` cannot say."""

    has_status: bool = False
    """Whether the stream tells of the job's status too."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which items a reader wants."""

    level: LogLevel | None = None
    """This level and more serious ones."""

    attempt: int | None = None

    def wants(self, item: Item) -> bool:
        """Whether the item passes. A level that nobody knows counts as `info`."""
        if self.attempt is not None and item.attempt != self.attempt:
            return False
        return self.level is None or _rank(item.level) >= _rank(self.level.value)


def _rank(level: str) -> int:
    return _RANKS.get(level.lower(), _RANKS[LogLevel.INFO])


def to_json(value: Any) -> bytes:
    """One line of ASCII, so that no text of a run can break a message."""
    return json.dumps(value, separators=(",", ":")).encode()


def read_page(
    feed: Feed, store: JobStore, uid: str, *, after: str, limit: int, wanted: Filter
) -> Batch:
    """The next items that the filter wants; fewer than `limit`, even none, with an `end` that
    differs from `after` means that there may be more."""
    items: list[Item] = []
    position, is_reset, scanned = after, False, 0
    while len(items) < limit and scanned < MAX_SCANNED_LINES:
        size = limit if wanted == Filter() else max(limit, READ_LINES)
        batch = feed.read(store, uid, position, size)
        if batch.is_reset:
            items, is_reset = [], True
        passing = [item for item in batch.items if wanted.wants(item)]
        room = limit - len(items)
        items += passing[:room]
        position = items[-1].position if len(passing) > room else batch.end
        scanned += len(batch.items)
        if not batch.items or wanted == Filter():
            break
    return Batch(tuple(items), position, is_reset)


def read_tail(feed: Feed, store: JobStore, uid: str, *, count: int, wanted: Filter) -> Batch:
    """The last items that the filter wants. Reads the whole file; keeps `count` items."""
    items: deque[Item] = deque(maxlen=count)
    position = ""
    while True:
        batch = feed.read(store, uid, position, READ_LINES)
        if batch.is_reset:
            items.clear()
        items.extend(item for item in batch.items if wanted.wants(item))
        position = batch.end
        if not batch.items:
            return Batch(tuple(items), position)


def _read_events(store: JobStore, uid: str, after: str, limit: int) -> Batch:
    events = store.events(uid, after=_seq(after), limit=limit)
    items = tuple(Item(str(event.seq), "event", to_json(event_object(event))) for event in events)
    return Batch(items, items[-1].position if items else after)


def _is_known_event(store: JobStore, uid: str, after: str) -> bool:
    seq = _seq(after)
    if seq == 0:
        return True
    found = store.events(uid, after=seq - 1, limit=1)
    return bool(found) and found[0].seq == seq


def _seq(after: str) -> int:
    if after == "":
        return 0
    # int() would take signs, spaces, underscores and digits of other scripts as well.
    if not (after.isascii() and after.isdigit() and len(after) <= 18):
        raise BadCursorError(
            f"a position among events must be a number that a reply gave, got {after[:32]!r}; "
            "leave it out to start at the beginning"
        )
    return int(after)


def event_object(event: EventRecord) -> dict[str, Any]:
    """An event as doors show it."""
    return {
        "seq": event.seq,
        "time": timestamp(event.time),
        "actor": event.actor,
        "kind": event.kind,
        "reason": event.reason,
        "message": event.message,
        "payload": event.payload,
    }


def _read_metrics(store: JobStore, uid: str, after: str, limit: int) -> Batch:
    lines: Lines[MetricsLine] = store.metrics(uid, after=after, limit=limit)
    return _batch(
        lines,
        [
            Item(at, "metric", _metric(line))
            for at, line in zip(lines.positions, lines.items, strict=True)
        ],
    )


def _metric(line: MetricsLine) -> bytes:
    time = timestamp(datetime.fromtimestamp(line.time_seconds, UTC))
    return to_json({"step": line.step, "time": time, "values": line.values})


def _read_logs(store: JobStore, uid: str, after: str, limit: int) -> Batch:
    lines: Lines[LogLine] = store.logs(uid, after=after, limit=limit)
    return _batch(
        lines,
        [
            Item(at, "log", _log(line), line.level, line.attempt)
            for at, line in zip(lines.positions, lines.items, strict=True)
        ],
    )


def _log(line: LogLine) -> bytes:
    return to_json(
        {
            "time": line.time,
            "level": line.level,
            "role": line.role,
            "attempt": line.attempt,
            "step": line.step,
            "message": line.message,
        }
    )


def _batch(lines: Lines[Any], items: Sequence[Item]) -> Batch:
    return Batch(tuple(items), lines.end, lines.is_reset)


def _store_says(store: JobStore, uid: str, after: str) -> bool:
    del store, uid, after
    return True


EVENTS: Final = Feed(kind="events", read=_read_events, is_known=_is_known_event, has_status=True)
METRICS: Final = Feed(kind="metrics", read=_read_metrics, is_known=_store_says)
LOGS: Final = Feed(kind="logs", read=_read_logs, is_known=_store_says)
