"""Followers: all readers of one growing thing share one, and with it one poll of the store.

        store ── poll, 4 a second ──> Follower: newest items in a ring, newest status
                                        │ one wake-up for all
              readers: each a position; in the ring it reads there, outside it asks the store

A reader has no buffer of its own. One that is slower than the ring loses nothing: its position
falls out of the ring, and it reads from the store until its position is in the ring again.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import anyio
import anyio.to_thread

from vppo_core.archive.errors import JobNotFoundError, StoreUnavailableError
from vppo_core.archive.records import JobRecord
from vppo_services.api.feeds import READ_LINES, Batch, Feed
from vppo_services.api.job_store import JobStore
from vppo_services.api.ring import Ring, StatusMessages

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often, and by which clock."""

    poll_seconds: float = 0.25
    keep_alive_seconds: float = 15.0
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep
    clock: Callable[[], float] = time.monotonic
    """Seconds, from anywhere."""


class Tails:
    """All followers of a process. Nobody reads: nothing runs."""

    def __init__(self, store: JobStore, pace: Pace | None = None, *, threads: int = 8) -> None:
        """Nothing starts here.

        Args:
            threads: calls of the store at the same time; streams never take those that other
                requests need.
        """
        self.store = store
        self.pace = pace or Pace()
        self._limiter = anyio.CapacityLimiter(threads)
        self._followers: dict[tuple[str, str], Follower] = {}

    @property
    def count(self) -> int:
        """Followers that run."""
        return len(self._followers)

    @contextmanager
    def follow(self, feed: Feed, record: JobRecord) -> "Iterator[Follower]":
        """The follower of a kind of a job; it runs as long as somebody is in this block."""
        key = (record.uid, feed.kind)
        follower = self._followers.get(key)
        if follower is None:
            follower = self._followers[key] = Follower(feed, record, self)
            follower.start()
        follower.readers += 1
        try:
            yield follower
        finally:
            follower.readers -= 1
            if follower.readers == 0:
                del self._followers[key]
                follower.stop()

    def close(self) -> None:
        """End all streams, without `end`: their clients come back to the next server."""
        for follower in self._followers.values():
            follower.close()

    async def ask(self, question: Callable[[], T]) -> T:
        """The answer to a call that blocks."""
        return await anyio.to_thread.run_sync(question, limiter=self._limiter)


class Follower:
    """The newest items of one kind of one job, kept up to date while it runs."""

    def __init__(self, feed: Feed, record: JobRecord, tails: Tails) -> None:
        self.feed = feed
        self.readers = 0
        self.ring = Ring()
        self.status = StatusMessages()
        self.beats = 0
        """Raised when silence has lasted long enough for a sign of life."""

        self.is_over = False
        """Whether the job is final and the ring holds, or the store gives, all of it."""

        self.is_closing = False
        self.news = asyncio.Event()
        """Set once, at the next change of anything here; take it before looking."""

        self._tails = tails
        self._pace = tails.pace
        self._beat_at = self._pace.clock()
        self._task: asyncio.Task[None] | None = None
        self._failure: BaseException | None = None
        self._take_record(record)
        self.is_over = is_final(record)

    @property
    def uid(self) -> str:
        """The job."""
        return self._record.uid

    @property
    def phase(self) -> str:
        """The job's phase, as read last."""
        return self._record.phase.value

    def start(self) -> None:
        """Poll from now on."""
        self._task = asyncio.create_task(self._run(), name=f"follow {self.feed.kind}")
        self._task.add_done_callback(self._note_end)

    def stop(self) -> None:
        """Poll no more."""
        if self._task is not None:
            self._task.cancel()

    def close(self) -> None:
        """Send the readers home."""
        self.is_closing = True
        self._tell()

    def begin(self, position: str) -> None:
        """Keep items from this position on, if none were kept yet."""
        self.ring.begin(position)

    async def read(self, position: str) -> Batch:
        """Items from the store, for a reader whose position is not in the ring.

        Raises:
            StoreUnavailableError, BadCursorError.
        """
        store, uid = self._tails.store, self._record.uid
        return await self._tails.ask(lambda: self.feed.read(store, uid, position, READ_LINES))

    async def knows(self, position: str) -> bool:
        """Whether the position is one of this job, where `read` would not say."""
        store, uid = self._tails.store, self._record.uid
        return await self._tails.ask(lambda: self.feed.is_known(store, uid, position))

    async def pause(self) -> None:
        """Wait as long as between two polls."""
        await self._pace.sleep(self._pace.poll_seconds)

    def check(self) -> None:
        """Raise what ended the polls, if that was an error: a stream must not fall silent."""
        if self._failure is not None:
            raise RuntimeError("the follower of this stream failed") from self._failure

    async def _run(self) -> None:
        while not self.is_over:
            await self._pace.sleep(self._pace.poll_seconds)
            while await self._poll():
                pass
            if self._pace.clock() - self._beat_at >= self._pace.keep_alive_seconds:
                self._beat_at = self._pace.clock()
                self.beats += 1
                self._tell()

    async def _poll(self) -> bool:
        """Take in what is new; whether there may be more."""
        start = self.ring.end
        try:
            record, batch = await self._tails.ask(lambda: self._look(start))
        except StoreUnavailableError:
            return False  # the next poll tries again; readers keep what they have
        changed = record is not None and self._take_record(record)
        found = batch is not None and self.ring.take(batch)
        # A reader may have begun the ring while the store was asked: then `batch` is of before.
        is_current = batch is not None or self.ring.end is None
        self.is_over = (record is None or is_final(record)) and is_current and not found
        if changed or found or self.is_over:
            self._tell()
        # A full page has a next one; waiting for the next poll would fall behind a fast writer.
        return batch is not None and len(batch.items) == READ_LINES

    def _look(self, start: str | None) -> tuple[JobRecord | None, Batch | None]:
        """The job first, its items after: of a final job these are all."""
        store, known = self._tails.store, self._record
        try:
            record = store.recorded(known)
        except JobNotFoundError:
            record = None
        if start is None:
            return record, None
        return record, self.feed.read(store, known.uid, start, READ_LINES)

    def _take_record(self, record: JobRecord) -> bool:
        self._record = record
        return self.feed.has_status and self.status.take(record.status_json)

    def _tell(self) -> None:
        self.news.set()
        self.news = asyncio.Event()

    def _note_end(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            self._failure = task.exception()
            self._tell()


def is_final(record: JobRecord) -> bool:
    """Whether nothing of a job will change that a stream tells of."""
    return record.phase.is_final or record.released is not None
