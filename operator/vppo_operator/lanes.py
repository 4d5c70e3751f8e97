"""Keys that wait for a worker, in two lanes: what somebody asked for, and everything else."""

from collections.abc import Hashable
from typing import Final, Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)

ORDINARY_TURN: Final = 8
"""Of so many keys that are taken one is an ordinary one, however many urgent ones there are."""


class Lanes(Generic[Key]):
    """First come, first served within a lane; a key is in one of them, once."""

    def __init__(self) -> None:
        """Both are empty."""
        self._urgent: dict[Key, None] = {}
        self._ordinary: dict[Key, None] = {}
        self._taken = 0

    def __len__(self) -> int:
        return len(self._urgent) + len(self._ordinary)

    def __contains__(self, key: object) -> bool:
        return key in self._urgent or key in self._ordinary

    def put(self, key: Key, *, is_urgent: bool) -> None:
        """Let the key wait; it keeps its place, unless it was not urgent and is now."""
        if is_urgent:
            self._ordinary.pop(key, None)
            self._urgent[key] = None
        elif key not in self._urgent:
            self._ordinary[key] = None

    def take(self) -> Key:
        """The next key, which waits no more.

        Raises:
            StopIteration: nobody waits.
        """
        self._taken += 1
        is_turn = self._taken % ORDINARY_TURN == 0
        lane = self._ordinary if is_turn and self._ordinary else self._urgent or self._ordinary
        key = next(iter(lane))
        del lane[key]
        return key
