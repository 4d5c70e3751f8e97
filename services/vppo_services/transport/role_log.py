"""What a role's process says: for the driver, which asks, and in Ray's own file of the process.

Lines reach the run's log with the next report; those of a process that died before are in Ray's
file alone, as JSON.
"""

import json
import logging
import os
import sys
import time
from typing import Final, TextIO

from vppo_core.logs import CarriedLine, JsonFormatter, LineKeeper
from vppo_core.logs.sending import from_us_or_serious, hear_ours, replace_handlers

_log = logging.getLogger(__name__)

LOG_FIELDS: Final = "VPPO_LOG_FIELDS"
"""Environment of a role's process: a JSON object with what all lines of the attempt share."""


def log_environment(**fields: object) -> dict[str, str]:
    """The environment that tells a role's process what its lines are about."""
    return {LOG_FIELDS: json.dumps(fields)}


class RoleLog:
    """The log of one process of a role."""

    def __init__(self, role: str, replica: int, stream: TextIO | None = None) -> None:
        """Take over the logging of this process; a second log takes it from the first.

        Args:
            replica: number of the process within its role; `rollout-1` is on the lines.
            stream: instead of standard error, which Ray writes into a file for each process.
        """
        name = f"{role}-{replica}"
        self._started = time.monotonic()
        self._keeper = LineKeeper(name)
        self._format = JsonFormatter(**_shared(os.environ.get(LOG_FIELDS, "")), role=name)
        written = logging.StreamHandler(stream or sys.stderr)
        written.setFormatter(self._format)
        for handler in (self._keeper, written):
            handler.addFilter(from_us_or_serious)
        replace_handlers([self._keeper, written])
        hear_ours(logging.INFO)

    def ready(self, what: str) -> None:
        """Say that the process can work, and how long that took."""
        _log.info("%s after %.1f s", what, time.monotonic() - self._started)

    def take(self, step: int) -> list[CarriedLine]:
        """What was said since this was last called; from here on lines belong to `step`."""
        lines = self._keeper.take()
        self._keeper.step = step
        self._format.fix(step=step)
        return lines


def _shared(text: str) -> dict[str, object]:
    """The attempt's fields; none where nobody said them, or not as an object."""
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
