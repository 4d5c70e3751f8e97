"""What a follower holds: the newest items, and the status as messages."""

import json
from collections import deque
from itertools import islice
from typing import Any, Final

from vppo_services.api.feeds import Batch, Item
from vppo_services.api.sse import frame

MAX_ITEMS: Final = 2048
MAX_BYTES: Final = 2**20
CHUNK_BYTES: Final = 2**16
"""A reader gets about this much at once: slow ones hold no more than this."""


class Ring:
    """The newest items, found by the position before them."""

    def __init__(self) -> None:
        self.end: str | None = None
        """Position behind the newest item; None before the first reader has said where to begin."""

        self.generation = 0
        """Raised when the file was cut: positions of before mean nothing any more."""

        self._items: deque[Item] = deque()
        self._starts: deque[str] = deque()
        """Position before each item."""

        self._numbers: dict[str, int] = {}
        """By the position before it, the number of an item."""

        self._first = 0
        """Number of the oldest item."""

        self._bytes = 0

    def begin(self, position: str) -> None:
        """Start at a position, once."""
        if self.end is None:
            self.end = position

    def after(self, position: str) -> tuple[list[Item], str] | None:
        """Some items behind a position, oldest first, and the position behind these.

        None when the position is not here.
        """
        if position == self.end:
            return [], position
        number = self._numbers.get(position)
        if number is None:
            return None
        items: list[Item] = []
        size = 0
        for item in islice(self._items, number - self._first, None):
            if size > CHUNK_BYTES:
                return items, items[-1].position
            items.append(item)
            size += len(item.text)
        assert self.end is not None
        return items, self.end

    def take(self, batch: Batch) -> bool:
        """Add what follows the end; whether anything changed."""
        if batch.is_reset:
            self._items.clear()
            self._starts.clear()
            self._numbers.clear()
            self._bytes = 0
            self.generation += 1
            self.end = ""
        for item in batch.items:
            assert self.end is not None
            self._numbers[self.end] = self._first + len(self._items)
            self._starts.append(self.end)
            self._items.append(item)
            self._bytes += len(item.text)
            self.end = item.position
        self.end = batch.end
        while len(self._items) > MAX_ITEMS or (self._bytes > MAX_BYTES and len(self._items) > 1):
            self._bytes -= len(self._items.popleft().text)
            del self._numbers[self._starts.popleft()]
            self._first += 1
        return bool(batch.items) or batch.is_reset


class StatusMessages:
    """A job's status as messages, each with the number of its last change."""

    def __init__(self) -> None:
        self._text = ""
        self._parts: tuple[Any, Any] = (None, None)
        self._messages = [b"", b""]
        self._changed = [0, 0]
        self.version = 0

    def take(self, text: str) -> bool:
        """Take in the newest status; whether it differs."""
        if text == self._text:
            return False
        self._text = text
        status: dict[str, Any] = json.loads(text)
        progress = status.get("progress")
        rest = {name: value for name, value in status.items() if name != "progress"}
        self.version += 1
        contents = (text.encode(), json.dumps(progress).encode())
        for place, (name, part) in enumerate((("status", rest), ("progress", progress))):
            if part != self._parts[place]:
                self._changed[place] = self.version
                self._messages[place] = frame(name, contents[place])
        self._parts = (rest, progress)
        return True

    def since(self, version: int) -> bytes:
        """What changed after a version: `status` when more than progress did, then `progress`.

        Before the first version that is the status alone; it holds the progress.
        """
        if version == 0:
            return frame("status", self._text.encode())
        pairs = zip(self._changed, self._messages, strict=True)
        return b"".join(message for changed, message in pairs if changed > version)
