"""Structured logs: JSON lines in the run's folder, short lines for people on standard error.

Every line names job, attempt, role and step; secrets are taken out before anything is written.
"""

import logging
import os
import sys
from pathlib import Path
from typing import Final, TextIO

from vppo_core.logs import HumanFormatter, JsonFormatter, set_step, step_context
from vppo_core.logs.sending import from_us_or_serious, hear_ours, replace_handlers

__all__ = ["LOG_FILE", "SHOWN", "LineFileHandler", "configure", "set_step", "step_context"]

LOG_FILE: Final = "log.jsonl"
SHOWN: Final = "vppo_services.driver.progress"
"""Logger of what the progress view tells a person already."""


def configure(
    run_folder: Path | None,
    *,
    job: str,
    attempt: int = 1,
    role: str = "driver",
    request: str = "",
    level: int = logging.INFO,
    stream: TextIO | None = None,
) -> None:
    """Send all logs of this process to `log.jsonl` of the run and to standard error.

    The file gets all our lines and warnings of libraries; several processes may share it. Calling
    again replaces the set-up.

    Args:
        run_folder: None writes no file.
        request: id of the request that made the job, where there was one.
        level: of what standard error gets. What a person sees on the progress view is left out.
        stream: instead of standard error.
    """
    handlers: list[logging.Handler] = [logging.StreamHandler(stream or sys.stderr)]
    handlers[0].setFormatter(HumanFormatter(role))
    handlers[0].setLevel(level)
    handlers[0].addFilter(lambda record: record.name != SHOWN)
    if run_folder is not None:
        handlers.append(LineFileHandler(run_folder / LOG_FILE))
        handlers[1].setFormatter(
            JsonFormatter(job=job, attempt=attempt, role=role, request=request)
        )
    # MLflow writes its own information to standard error, in the middle of a progress bar.
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    for handler in handlers:
        handler.addFilter(from_us_or_serious)
    replace_handlers(handlers)
    hear_ours(min(level, logging.INFO))


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
