"""Log lines of every program: which job, attempt, step, role and request they are about, how they
are written, and that no secret stands in them.
"""

from vppo_core.logs.carrying import CarriedLine, LineKeeper, retell
from vppo_core.logs.fields import about, note, noted, set_step, step_context
from vppo_core.logs.formats import HumanFormatter, JsonFormatter
from vppo_core.logs.sending import LOG_FORMATS, send_to

__all__ = [
    "LOG_FORMATS",
    "CarriedLine",
    "HumanFormatter",
    "JsonFormatter",
    "LineKeeper",
    "about",
    "note",
    "noted",
    "retell",
    "send_to",
    "set_step",
    "step_context",
]
