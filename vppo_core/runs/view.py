"""What is seen of one attempt, by whatever launched it."""

from dataclasses import dataclass
from datetime import datetime

from vppo_core.runs.files import ExitFile, ProgressFile, StopFile


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
