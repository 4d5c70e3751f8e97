"""Lines that cross processes: kept where they were written until somebody asks, then told again."""

import logging
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from vppo_core.logs.fields import about, step_context
from vppo_core.redact import redact

MOST_LINES: Final = 20
"""What one process keeps until it is asked, of more the newest: a grader that fails at each answer
must not bury the run's log."""


@dataclass(frozen=True, slots=True)
class CarriedLine:
    """A record on its way to another process, without secrets."""

    time: float
    """Seconds since the epoch."""

    level: int
    """Of the `logging` module."""

    logger: str
    role: str
    step: int | None
    message: str
    """With the traceback, where there was one."""


class LineKeeper(logging.Handler):
    """Keeps the newest records of a process until they are taken."""

    def __init__(self, role: str, most: int = MOST_LINES) -> None:
        super().__init__()
        self.step: int | None = None
        """Step that records belong to from now on, in all threads; None before the first."""
        self._role = role
        self._kept: deque[CarriedLine] = deque(maxlen=most)
        self._lost = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record; `logging` holds this handler's lock meanwhile."""
        text = record.getMessage()
        if record.exc_info:
            text += "\n" + logging.Formatter().formatException(record.exc_info)
        self._lost += len(self._kept) == self._kept.maxlen
        self._kept.append(self._line(record.created, record.levelno, record.name, redact(text)))

    def take(self) -> list[CarriedLine]:
        """What was kept since this was last called; first, how many more lines there were."""
        with self.lock:  # type: ignore[union-attr]
            kept, lost = list(self._kept), self._lost
            self._kept.clear()
            self._lost = 0
        if lost:
            told = f"{lost} earlier lines of this step are left out; the process's own log has them"
            kept.insert(0, self._line(kept[0].time, logging.WARNING, __name__, told))
        return kept

    def _line(self, time: float, level: int, logger: str, text: str) -> CarriedLine:
        return CarriedLine(time, level, logger, self._role, self.step, text)


def retell(lines: Iterable[CarriedLine]) -> None:
    """Hand lines of other processes to this one's handlers, with their own time, role and step."""
    for line in sorted(lines, key=lambda one: one.time):
        logger = logging.getLogger(line.logger)
        if not logger.isEnabledFor(line.level):
            continue
        record = logger.makeRecord(line.logger, line.level, "", 0, "%s", (line.message,), None)
        record.created = line.time
        with about(role=line.role), step_context(line.step):
            logger.handle(record)
