"""Structured logs: JSON lines in the run's folder, short lines for people on standard error.

Every line names job, attempt, role and step; secrets are taken out before anything is written.
"""

import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TextIO

from vppo_core.redact import redact

LOG_FILE: Final = "log.jsonl"
SHOWN: Final = "vppo_services.driver.progress"
"""Logger of what the progress view tells a person already."""

_step: ContextVar[int | None] = ContextVar("vppo_step", default=None)
_OURS: Final = ("vppo_core", "vppo_services")


def set_step(step: int) -> None:
    """Name the step that lines of this thread or task belong to from here on."""
    _step.set(step)


@contextmanager
def step_context(step: int) -> Iterator[None]:
    """Name the step that lines inside the block belong to."""
    token = _step.set(step)
    try:
        yield
    finally:
        _step.reset(token)


def configure(
    run_folder: Path | None,
    *,
    job: str,
    attempt: int = 1,
    role: str = "driver",
    level: int = logging.INFO,
    stream: TextIO | None = None,
) -> None:
    """Send all logs of this process to `log.jsonl` of the run and to standard error.

    The file gets all our lines and warnings of libraries; several processes may share it. Calling
    again replaces the set-up.

    Args:
        run_folder: None writes no file.
        level: of what standard error gets. What a person sees on the progress view is left out.
        stream: instead of standard error.
    """
    handlers: list[logging.Handler] = [logging.StreamHandler(stream or sys.stderr)]
    handlers[0].setFormatter(HumanFormatter(role))
    handlers[0].setLevel(level)
    handlers[0].addFilter(lambda record: record.name != SHOWN)
    if run_folder is not None:
        handlers.append(LineFileHandler(run_folder / LOG_FILE))
        handlers[1].setFormatter(JsonFormatter(job=job, attempt=attempt, role=role))
    # MLflow writes its own information to standard error, in the middle of a progress bar.
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    root = logging.getLogger()
    for old in [h for h in root.handlers if getattr(h, "is_of_vppo", False)]:
        root.removeHandler(old)
        old.close()
    for handler in handlers:
        handler.is_of_vppo = True  # type: ignore[attr-defined]
        handler.addFilter(_from_us_or_serious)
        root.addHandler(handler)
    for name in _OURS:
        logging.getLogger(name).setLevel(min(level, logging.INFO))


class JsonFormatter(logging.Formatter):
    """One JSON object a record."""

    def __init__(self, *, job: str, attempt: int, role: str) -> None:
        super().__init__()
        self._fixed = {"job": job, "attempt": attempt, "role": role}

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON, without secrets."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            **self._fixed,
            "step": _step.get(),
            "logger": record.name,
            "message": redact(record.getMessage()),
        }
        if record.exc_info:
            line["exception"] = redact(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False)


class HumanFormatter(logging.Formatter):
    """`12:30:05 driver step 3: text`, with the level where it is a warning or worse."""

    def __init__(self, role: str) -> None:
        super().__init__()
        self._role = role

    def format(self, record: logging.LogRecord) -> str:
        """The record as a short line, without secrets."""
        clock = datetime.fromtimestamp(record.created).strftime("%H:%M:%S")
        step = _step.get()
        where = self._role if step is None else f"{self._role} step {step}"
        level = "" if record.levelno < logging.WARNING else f"{record.levelname.lower()}: "
        text = redact(record.getMessage())
        if record.exc_info:
            text += "\n" + redact(self.formatException(record.exc_info))
        return f"{clock} {where}: {level}{text}"


class LineFileHandler(logging.Handler):
    """Appends each record with one write, so that processes sharing the file never mix lines.

    A line that the disk refuses is counted in `lost` and never raised.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.lost = 0
        self._file: int | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        except OSError:
            self.lost += 1

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record as a line."""
        if self._file is None:
            self.lost += 1
            return
        try:
            os.write(self._file, (self.format(record) + "\n").encode())
        except OSError:
            self.lost += 1

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
        super().close()


def _from_us_or_serious(record: logging.LogRecord) -> bool:
    return record.name.partition(".")[0] in _OURS or record.levelno >= logging.WARNING
