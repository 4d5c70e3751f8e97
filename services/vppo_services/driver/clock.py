"""Where the time of a step and of a run goes."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class StageClock:
    """Adds up seconds by stage, for the step on its way and for the whole run."""

    def __init__(self, now: Callable[[], float] = time.perf_counter) -> None:
        self._now = now
        self._started = now()
        self._step_started = self._started
        self._before = 0.0
        self.step: dict[str, float] = {}
        self.total: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time the block under a stage's name."""
        started = self._now()
        try:
            yield
        finally:
            self.add(name, self._now() - started)

    def add(self, name: str, seconds: float) -> None:
        """Add seconds that were measured elsewhere."""
        self.step[name] = self.step.get(name, 0.0) + seconds
        self.total[name] = self.total.get(name, 0.0) + seconds

    def begin_step(self) -> None:
        """Forget the stages of the step before."""
        self.step = {}
        self._step_started = self._now()

    @property
    def step_seconds(self) -> float:
        """Seconds since the step began."""
        return self._now() - self._step_started

    @property
    def seconds(self) -> float:
        """Seconds of the run, those before a resume included."""
        return self._before + self._now() - self._started

    def resume(self, seconds: float, total: dict[str, float]) -> None:
        """Go on from the times of a checkpoint."""
        self._before = seconds
        self.total = dict(total)
