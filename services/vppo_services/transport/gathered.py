"""Values on their way to Ray, which needs microseconds for each that it is given."""

import time
from collections.abc import Callable
from typing import Any, Final

_EVERY_SECONDS: Final = 1.0


class Series:
    """One value on its way to Ray: the sum of a counter's, the last of a gauge's."""

    def __init__(self, tell: Callable[[float], object]) -> None:
        self._tell = tell
        self._value: float | None = None

    def add(self, amount: float) -> None:
        """Add to a counter."""
        self._value = amount + (self._value or 0.0)

    def set(self, value: float) -> None:
        """Set a gauge."""
        self._value = value

    def flush(self) -> None:
        """Give Ray what there is since the last time."""
        if self._value is not None:
            value, self._value = self._value, None
            self._tell(value)


class Gathered:
    """All values on their way to Ray, which gets them once a second."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._told = now()
        self._series: dict[Any, Series] = {}

    def series(self, key: Any, tell: Callable[[float], object]) -> Series:
        """The series of that key; `tell` gives a value to Ray."""
        return self._series.setdefault(key, Series(tell))

    @property
    def is_due(self) -> bool:
        """Whether a second has passed since values were given to Ray."""
        return self._now() - self._told >= _EVERY_SECONDS

    def flush(self) -> None:
        """Give the values to Ray now."""
        self._told = self._now()
        for series in self._series.values():
            series.flush()
