"""A clock that moves when it is told to."""

from datetime import UTC, datetime, timedelta


class Clock:
    """Time of the simulated world; `clock()` is now."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        """The time."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time go by, or back."""
        self.now += timedelta(seconds=seconds)
