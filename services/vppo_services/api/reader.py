"""One reader of a stream: replays from its position, then follows, then ends."""

from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass

from vppo_core.archive.errors import BadCursorError, StoreUnavailableError
from vppo_core.archive.records import JobRecord
from vppo_services.api.feeds import Batch, Feed, Filter, Item, read_tail, to_json
from vppo_services.api.sse import KEEP_ALIVE, frame
from vppo_services.api.tail import Follower, Tails

RESET = frame("reset", b"{}", position="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Where a reader begins."""

    position: str = ""
    """Behind what it has already; "" is the beginning."""

    is_reconnect: bool = False
    """Whether the position came by itself, as `Last-Event-ID`: one that cannot be read is then
    no mistake of anybody, and the reader starts over."""

    tail: int | None = None
    """Begin with so many of the last items instead."""


async def read_stream(
    tails: Tails, feed: Feed, record: JobRecord, *, start: Start, wanted: Filter
) -> AsyncGenerator[bytes, None]:
    """Everything behind the start as messages, as it comes, until the job is final.

    Raises:
        BadCursorError, StoreUnavailableError: before the first chunk only.
    """
    with tails.follow(feed, record) as follower:
        reader = Reader(follower, start=start, wanted=wanted)
        yield await reader.open(tails)
        while not follower.is_closing:
            # Both are taken before looking: what comes later wakes the reader, and what was
            # there when the job was over is found.
            news, is_over = follower.news, follower.is_over
            follower.check()
            chunk, is_at_end = await reader.more()
            if chunk:
                yield chunk
            if is_at_end and is_over:
                yield frame("end", to_json({"phase": follower.phase}))
                return
            if is_at_end:
                await news.wait()


class Reader:
    """A position, and what else was sent already."""

    def __init__(self, follower: Follower, *, start: Start, wanted: Filter) -> None:
        self._follower = follower
        self._start = start
        self._wanted = wanted
        self._position = start.position
        self._generation = follower.ring.generation
        self._status_version = 0
        self._beats = follower.beats

    async def open(self, tails: Tails) -> bytes:
        """The first messages, straight from the store, which knows whether the position holds.

        Raises:
            BadCursorError, StoreUnavailableError.
        """
        follower, tail = self._follower, self._start.tail
        status = self._news_of_status()
        if tail is None:
            return status + await self._replay()
        batch = await tails.ask(
            lambda: read_tail(
                follower.feed, tails.store, follower.uid, count=tail, wanted=self._wanted
            )
        )
        self._position = batch.end
        return status + b"".join(item.message for item in batch.items)

    async def more(self) -> tuple[bytes, bool]:
        """What is new, and whether that is all for now."""
        follower = self._follower
        chunk = self._news_of_status()
        if follower.ring.generation == self._generation:
            found = follower.ring.after(self._position)
            if found is not None:
                items, self._position = found
                chunk += self._messages(items)
                return chunk or self._sign_of_life(), self._position == follower.ring.end
        generation = follower.ring.generation
        try:
            batch = await follower.read(self._position)
        except StoreUnavailableError:
            await follower.pause()
            return chunk, False
        self._generation = generation
        chunk += self._take(batch)
        return chunk or self._sign_of_life(), not batch.items

    async def _replay(self) -> bytes:
        reset = b""
        try:
            is_known = await self._follower.knows(self._position)
        except BadCursorError:
            if not self._start.is_reconnect:
                raise
            is_known = False
        if not is_known:
            reset, self._position = RESET, ""
        try:
            batch = await self._follower.read(self._position)
        except BadCursorError:
            if not self._start.is_reconnect:
                raise
            reset, self._position = RESET, ""
            batch = await self._follower.read("")
        return reset + self._take(batch)

    def _take(self, batch: Batch) -> bytes:
        """A batch of the store as messages; its end is the position from here on."""
        self._position = batch.end
        if not batch.items:
            self._follower.ring.begin(batch.end)
        return (RESET if batch.is_reset else b"") + self._messages(batch.items)

    def _messages(self, items: Iterable[Item]) -> bytes:
        return b"".join(item.message for item in items if self._wanted.wants(item))

    def _news_of_status(self) -> bytes:
        follower = self._follower
        if not follower.feed.has_status:
            return b""
        seen, self._status_version = self._status_version, follower.status.version
        return follower.status.since(seen)

    def _sign_of_life(self) -> bytes:
        if self._beats == self._follower.beats:
            return b""
        self._beats = self._follower.beats
        return KEEP_ALIVE
