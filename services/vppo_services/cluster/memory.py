"""Answers that hold for a while."""

import threading
from collections.abc import Callable, Hashable
from typing import Final, Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

MAX_ENTRIES: Final = 10_000


class Memory(Generic[Key, Value]):
    """Values by key, each for its own time; bounded, safe for threads."""

    def __init__(self, clock: Callable[[], float], *, max_entries: int = MAX_ENTRIES) -> None:
        self._clock = clock
        self._max_entries = max_entries
        self._kept: dict[Key, tuple[float, Value]] = {}
        self._lock = threading.Lock()

    def find(self, key: Key) -> tuple[bool, Value | None]:
        """Whether there is one, and the value."""
        kept = self._kept.get(key)
        if kept is None or kept[0] <= self._clock():
            return False, None
        return True, kept[1]

    def keep(self, key: Key, value: Value, seconds: float) -> None:
        """Remember a value; when there are too many, those that are over go, then the oldest."""
        now = self._clock()
        with self._lock:
            self._kept.pop(key, None)
            if len(self._kept) >= self._max_entries:
                self._kept = {k: one for k, one in self._kept.items() if one[0] > now}
            while len(self._kept) >= self._max_entries:
                del self._kept[next(iter(self._kept))]
            self._kept[key] = now + seconds, value
