"""How long a process computed: what a role costs, whatever else ran at the same time."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class BusyClock:
    """Adds up the seconds inside `working` blocks until they are taken."""

    def __init__(self) -> None:
        self._seconds = 0.0

    @contextmanager
    def working(self) -> Iterator[None]:
        """Count the block."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self._seconds += time.perf_counter() - started

    def take(self) -> float:
        """Seconds since this was last asked."""
        seconds, self._seconds = self._seconds, 0.0
        return seconds
