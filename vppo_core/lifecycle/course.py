"""What was settled on for a job, before it is put into words."""

from dataclasses import dataclass
from datetime import datetime

from vppo_core.lifecycle.actions import Action
from vppo_core.spec.status import AttemptStatus, JobPhase


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What `decide` settled on for a job."""

    phase: JobPhase
    attempts: tuple[AttemptStatus, ...]
    actions: tuple[Action, ...] = ()
    reason: str = ""
    """Why it stops or ends: `Paused`, `Cancelled`, `Deleted`, or a failure class."""

    message: str = ""
    """The same as a sentence, where there is more to say."""

    is_live: bool = False
    """Whether the last attempt is there now."""

    is_doubled: bool = False
    """Whether an attempt lives that should not, beside or before the last one."""

    look_again: tuple[datetime, ...] = ()
    """Moments at which something falls due."""
