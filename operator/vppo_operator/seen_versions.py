"""Versions of objects that were looked at, or are as we wrote them: events of them are no news."""

import threading
from collections.abc import Mapping
from typing import Any, Final

from vppo_operator.parts import meta

REMEMBERED: Final = 20_000
"""Of one that is forgotten the event is followed by a look too many."""


class SeenVersions:
    """Remembers versions, the latest ones; threads may share it."""

    def __init__(self) -> None:
        """Nothing was seen."""
        self._known: dict[tuple[str, str], None] = {}
        self._lock = threading.Lock()

    def note(self, thing: Mapping[str, Any]) -> None:
        """Nothing about this version of an object is news any more.

        Of what was written that is so only where the server refuses a write of anything but what
        was read.
        """
        head = meta(thing)
        with self._lock:
            self._known[str(head.get("uid", "")), str(head.get("resourceVersion", ""))] = None
            if len(self._known) > REMEMBERED:
                del self._known[next(iter(self._known))]

    def has(self, head: Mapping[str, Any]) -> bool:
        """Whether the version of an object was noted that has this metadata."""
        uid, version = str(head.get("uid", "")), str(head.get("resourceVersion", ""))
        return bool(uid and version) and (uid, version) in self._known
