"""What is seen of one attempt, by whatever launched it."""

from dataclasses import dataclass
from datetime import datetime

from vppo_core.runs.files import ExitFile, ProgressFile, StopFile
from vppo_core.spec.status import FailureClass, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How an attempt ended, by what was around it: its pods, its cluster, its quota."""

    outcome: Outcome
    failure_class: FailureClass | None = None
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptView:
    """What files and processes say of one attempt."""

    is_launched: bool
    is_live: bool
    stop: StopFile | None = None
    progress: ProgressFile | None = None
    exit: ExitFile | None = None
    exit_code: int | None = None
    """Of a process or container that wrote no `exit.json`, where it is known."""

    last_words: str = ""
    """Last line of its output; read only where it left nothing else."""

    last_sign: datetime | None = None
    """When it wrote last; read only once it is dead."""

    verdict: Verdict | None = None
    """What the launcher knows of its end where the driver left no `exit.json`, or did not know why
    a role died."""
