"""When a process computed: what a role costs, and who waited while another worked."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Span = tuple[float, float]
"""Start and end, seconds since the epoch: the clock that processes on several nodes share."""


class BusyClock:
    """Notes the time inside `working` blocks until it is taken; blocks may run side by side.

    Seconds in which several blocks run count once.
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._running = 0
        self._since = 0.0
        self._spans: list[Span] = []
        self._seconds = 0.0

    @contextmanager
    def working(self) -> Iterator[None]:
        """Count the block."""
        with self._lock:
            self._pass()
            self._running += 1
        try:
            yield
        finally:
            with self._lock:
                self._pass()
                self._running -= 1

    def seconds(self) -> float:
        """Seconds of all blocks so far, those on their way included; taking does not lower it."""
        with self._lock:
            self._pass()
            return self._seconds

    def take(self) -> list[Span]:
        """The spans since this was last asked, in order and apart from one another."""
        with self._lock:
            self._pass()
            spans, self._spans = self._spans, []
            return spans

    def _pass(self) -> None:
        """Count what has passed since the last look."""
        now = self._now()
        if self._running and now > self._since:
            start = self._since
            if self._spans and self._spans[-1][1] == start:
                start = self._spans.pop()[0]
            self._spans.append((start, now))
            self._seconds += now - self._since
        self._since = now
