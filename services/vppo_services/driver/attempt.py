"""What an attempt tells whoever started it, in files: how far it is, what it saved, how it ended.

`progress.json` is replaced while it works, `exit.json` is written once, the run's list of
checkpoints grows. None of them can stop an attempt: what the disk refuses is logged.
"""

import json
import logging
import secrets
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from vppo_core.redact import redact
from vppo_core.runs.writing import write_atomically
from vppo_services.driver.saved import CheckpointList, SavedCheckpoint

_log = logging.getLogger(__name__)

STARTING: Final = "starting"
FINISHING: Final = "finishing"
_FLUSH_SECONDS: Final = 1.0
_MEAN_STEPS: Final = 10
_MAX_MESSAGE: Final = 1000


@dataclass(frozen=True, slots=True)
class Ending:
    """How an attempt ended."""

    outcome: str
    """`Succeeded`, `Stopped` or `Failed`."""

    exit_code: int = 0
    failure_class: str = ""
    message: str = ""


def next_number(folder: Path) -> int:
    """The number of a new attempt in a run's folder: 1 for the first."""
    attempts = folder / "attempts"
    return 1 + (sum(path.is_dir() for path in attempts.iterdir()) if attempts.is_dir() else 0)


class Attempt:
    """The files of one attempt."""

    def __init__(
        self, folder: Path, number: int, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        """Say at once that the attempt is starting.

        Args:
            folder: of the run.
            now: the time, with its zone.
        """
        self.number = number
        self.ending: Ending | None = None
        self.is_training = False
        self.started = now().timestamp()
        """When it began, seconds since the epoch."""
        self.incarnation = secrets.token_hex(8)
        self._checkpoints = CheckpointList(folder)
        self._own = folder / "attempts" / str(number)
        self._now = now
        self._first_step: int | None = None
        self._step = self._total_steps = 0
        self._stage = STARTING
        self._stage_seconds: dict[str, float] = {}
        self._last_steps: deque[float] = deque(maxlen=_MEAN_STEPS)
        self._checkpoint: SavedCheckpoint | None = None
        self._refused: set[str] = set()
        self._has_news = True
        self._writing = threading.Lock()
        self._closed = threading.Event()
        self.flush()

    def keep_writing(self) -> None:
        """Write what is new once a second from here on; a slow disk never holds up a step."""
        threading.Thread(target=self._write_on, name="progress", daemon=True).start()

    def expects(self, total_steps: int) -> None:
        """Set the number of steps to do."""
        self._total_steps = total_steps
        self._has_news = True

    def starts_from(self, step: int, checkpoint: SavedCheckpoint | None) -> None:
        """Set where the attempt goes on; a checkpoint that a killed attempt did not list is."""
        self._first_step = self._step = step
        self._checkpoint = checkpoint
        self._has_news = True
        if checkpoint is not None and checkpoint.step not in self._checkpoints.steps():
            self._checkpoints.add(checkpoint)

    def trains(self) -> None:
        """Note that start-up is over: what ends the attempt from here on is no part of it."""
        self.is_training = True

    def enters(self, stage: str) -> None:
        """Set what the driver is doing; an attempt that is finishing stays so."""
        if self._stage != FINISHING:
            self._stage = stage
            self._has_news = True

    def finishes(self) -> None:
        """Say that training is over."""
        self.enters(FINISHING)

    def did_step(self, step: int, stage_seconds: Mapping[str, float], seconds: float) -> None:
        """Count a step, with its wall time and that of its stages."""
        self._step = step
        self._stage_seconds = dict(stage_seconds)
        self._last_steps.append(seconds)
        self._has_news = True

    def saved(self, checkpoint: SavedCheckpoint) -> None:
        """List a checkpoint that is complete."""
        self._checkpoint = checkpoint
        self._has_news = True
        self._checkpoints.add(checkpoint)
        self.flush()  # an attempt that is killed now must not seem to have saved what it never did

    def ends(self, ending: Ending) -> None:
        """Say how it ended; the last thing that an attempt says."""
        self.ending = ending
        self._closed.set()
        self.flush()
        checkpoint = self._checkpoint
        self._write(
            "exit.json",
            {
                "attempt": self.number,
                "incarnation": self.incarnation,
                "exitCode": ending.exit_code,
                "outcome": ending.outcome,
                "failureClass": ending.failure_class,
                "message": redact(ending.message)[:_MAX_MESSAGE],
                "firstStep": self._first_step,
                "lastStep": self._step,
                "checkpointStep": 0 if checkpoint is None else checkpoint.step,
                "ended": self._now().isoformat(),
            },
        )

    def flush(self) -> None:
        """Write `progress.json`, if there is anything new."""
        with self._writing:
            if not self._has_news:
                return
            self._has_news = False  # before it is read: what changes meanwhile is news again
            self._write("progress.json", self._progress())

    def _progress(self) -> dict[str, Any]:
        steps = list(self._last_steps)
        saved = self._checkpoint
        return {
            "attempt": self.number,
            "incarnation": self.incarnation,
            "firstStep": self._first_step,
            "step": self._step,
            "totalSteps": self._total_steps,
            "stage": self._stage,
            "stageSeconds": {name: round(took, 3) for name, took in self._stage_seconds.items()},
            "stepSeconds": round(sum(steps) / len(steps), 3) if steps else None,
            "checkpoint": None
            if saved is None
            else {"step": saved.step, "uri": saved.uri, "created": saved.created},
            "time": self._now().isoformat(),
        }

    def _write_on(self) -> None:
        while not self._closed.wait(_FLUSH_SECONDS):
            self.flush()

    def _write(self, name: str, content: dict[str, Any]) -> None:
        try:
            write_atomically(self._own / name, json.dumps(content) + "\n")
        except OSError as error:
            if name not in self._refused:  # once, not every second
                _log.warning("%s of attempt %d was not written: %s", name, self.number, error)
            self._refused.add(name)
        else:
            self._refused.discard(name)
