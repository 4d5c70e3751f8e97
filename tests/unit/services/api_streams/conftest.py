"""A store in memory, a time that is stepped, and a client whose every byte is seen."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from typing import Any

import pytest

from vppo_core.archive.errors import JobNotFoundError
from vppo_core.archive.records import EventRecord, JobRecord
from vppo_core.archive.run_records import Lines, LogLine, MetricsLine
from vppo_core.spec.status import JobPhase
from vppo_services.api.feeds import Feed, Filter
from vppo_services.api.reader import Start, read_stream
from vppo_services.api.sse import EventStream
from vppo_services.api.tail import Pace, Tails

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
DEADLINE_SECONDS = 20.0


def make_record(
    *, phase: JobPhase = JobPhase.RUNNING, status: dict[str, Any] | None = None
) -> JobRecord:
    body = {"phase": phase.value, "progress": {"step": 0}, **(status or {})}
    return JobRecord(
        uid="uid-1",
        name="cubes",
        namespace="default",
        owner="ada",
        labels={},
        annotations={},
        spec_json="{}",
        status_json=json.dumps(body),
        spec_hash="",
        phase=phase,
        generation=1,
        version=1,
        created=NOON,
    )


class FakeRunStore:
    """One job with events, metrics and logs. A cut file makes all positions of before unknown."""

    def __init__(self) -> None:
        self.record = make_record()
        self.stored_events: list[EventRecord] = []
        self.stored_metrics: list[MetricsLine] = []
        self.stored_logs: list[LogLine] = []
        self.cuts = 0
        self.calls: Counter[str] = Counter()
        self.error: Exception | None = None

    def get(self, name: str, *, uid: str | None = None) -> JobRecord:
        self._count("get")
        if name != self.record.name or uid not in (None, self.record.uid):
            raise JobNotFoundError(f"there is no job named {name!r}; list the jobs")
        return self.record

    def within(self, namespace: str) -> "FakeRunStore":
        assert namespace == "default"
        return self

    def recorded(self, record: JobRecord) -> JobRecord:
        return self.get(record.name, uid=record.uid)

    def events(self, uid: str, *, after: int = 0, limit: int = 100) -> Sequence[EventRecord]:
        self._count("events")
        return [e for e in self.stored_events if e.job_uid == uid and e.seq > after][:limit]

    def metrics(self, uid: str, *, after: str = "", limit: int = 100) -> Lines[MetricsLine]:
        del uid
        self._count("metrics")
        return self._page(self.stored_metrics, after, limit)

    def logs(self, uid: str, *, after: str = "", limit: int = 100) -> Lines[LogLine]:
        del uid
        self._count("logs")
        return self._page(self.stored_logs, after, limit)

    def _page(self, lines: list[Any], after: str, limit: int) -> Lines[Any]:
        start = 0
        is_reset = False
        if after:
            cuts, start = (int(part) for part in after.split("."))
            is_reset = cuts != self.cuts
            start = 0 if is_reset else start
        items = tuple(lines[start : start + limit])
        positions = tuple(f"{self.cuts}.{start + n + 1}" for n in range(len(items)))
        end = positions[-1] if positions else ("" if is_reset else after)
        return Lines(items=items, positions=positions, end=end, is_reset=is_reset)

    def _count(self, call: str) -> None:
        self.calls[call] += 1
        if self.error is not None:
            raise self.error

    def add_events(self, count: int = 1) -> None:
        for _ in range(count):
            seq = 10 * (len(self.stored_events) + 1)
            self.stored_events.append(
                EventRecord(
                    seq=seq,
                    job_uid="uid-1",
                    job_name="cubes",
                    time=NOON,
                    actor="vppo",
                    kind="Normal",
                    reason="Started",
                    message=f"event {seq}",
                    payload={},
                )
            )

    def add_metrics(self, count: int = 1) -> None:
        for _ in range(count):
            step = len(self.stored_metrics) + 1
            values = {"reward_mean": 0.5, "kl_mean": None}
            self.stored_metrics.append(
                MetricsLine(step=step, time_seconds=NOON.timestamp() + step, values=values)
            )

    def add_log(self, message: str, *, level: str = "info", attempt: int = 1) -> None:
        self.stored_logs.append(
            LogLine(
                time="2026-11-01T12:00:00.000+00:00",
                level=level,
                role="driver",
                attempt=attempt,
                step=None,
                message=message,
            )
        )

    def set_status(self, *, phase: JobPhase = JobPhase.RUNNING, **status: Any) -> None:
        self.record = make_record(phase=phase, status=status)

    def finish(self) -> None:
        self.set_status(phase=JobPhase.SUCCEEDED)


class FakeTime:
    """A clock that moves when told; sleepers wake when it has passed them."""

    def __init__(self) -> None:
        self.now = 0.0
        self._sleepers: list[tuple[float, asyncio.Event]] = []

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        woken = asyncio.Event()
        self._sleepers.append((self.now + seconds, woken))
        try:
            await woken.wait()
        finally:
            self._sleepers = [one for one in self._sleepers if one[1] is not woken]

    async def pass_by(self, seconds: float = 0.25) -> None:
        """Move the clock, and let everybody do what they do then until they sleep again."""
        await settle()
        self.now += seconds
        for due, woken in self._sleepers:
            if due <= self.now:
                woken.set()
        await settle()


async def settle() -> None:
    """Let tasks run, and threads of theirs end, until the loop has been idle for a while."""
    for _ in range(20):
        await asyncio.sleep(0.001)


class FakeConnection:
    """A client at the other end of a response; it can stop reading and it can go away."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.reads = asyncio.Event()
        self.reads.set()
        self._gone = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    def open(self, response: EventStream) -> None:
        scope = {"type": "http", "method": "GET", "headers": []}
        self.task = asyncio.create_task(response(scope, self._receive, self._send))

    async def _send(self, message: Any) -> None:
        await self.reads.wait()
        self.sent.append(message)

    async def _receive(self) -> Any:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    def stop_reading(self) -> None:
        self.reads.clear()

    def read_again(self) -> None:
        self.reads.set()

    async def go(self) -> None:
        assert self.task is not None
        self._gone.set()
        await asyncio.wait_for(self.task, DEADLINE_SECONDS)

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)

    @property
    def messages(self) -> list[dict[str, str]]:
        return parse_stream(self.body.decode())

    def named(self, event: str) -> list[Any]:
        return [json.loads(m["data"]) for m in self.messages if m.get("event") == event]

    @property
    def names(self) -> list[str]:
        return [message["event"] for message in self.messages if "event" in message]

    async def until(self, holds: Callable[[], bool]) -> None:
        limit = time.monotonic() + DEADLINE_SECONDS
        while not holds():
            assert time.monotonic() < limit, f"it never came; what came is {self.body!r}"
            await asyncio.sleep(0.001)


def parse_stream(text: str) -> list[dict[str, str]]:
    """Messages as the HTML standard reads them, with comments and retry as messages too."""
    found = []
    for block in text.split("\n\n")[:-1]:
        message: dict[str, str] = {}
        for line in block.split("\n"):
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if name == "":
                name = "comment"
            joined = name == "data" and "data" in message
            message[name] = message["data"] + "\n" + value if joined else value
        found.append(message)
    return found


class Bench:
    """A store, its followers and their time, and as many clients as a test opens."""

    def __init__(self) -> None:
        self.store = FakeRunStore()
        self.time = FakeTime()
        pace = Pace(sleep=self.time.sleep, clock=self.time.clock)
        self.tails = Tails(self.store, pace)  # type: ignore[arg-type]
        self.holds: Callable[[], AbstractContextManager[object]] = nullcontext

    def open(
        self, feed: Feed, *, start: Start | None = None, wanted: Filter | None = None
    ) -> FakeConnection:
        """A client that asks for a stream of the job as it is now."""
        chunks = read_stream(
            self.tails,
            feed,
            self.store.record,
            start=start or Start(),
            wanted=wanted or Filter(),
        )
        connection = FakeConnection()
        connection.open(EventStream(chunks, hold=self.holds))
        return connection


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def bench() -> Iterator[Bench]:
    return Bench()  # type: ignore[return-value]
