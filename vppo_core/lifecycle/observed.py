"""What is known about a job at one moment, gathered by the operator or the local loop."""

from dataclasses import dataclass, field
from datetime import datetime

from vppo_core.spec.job import VPPOJobSpec
from vppo_core.spec.status import (
    AttemptStatus,
    CheckpointStatus,
    Progress,
    QueueStatus,
    VPPOJobStatus,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptState:
    """An attempt: what was recorded of it, and what the launcher sees of it now."""

    record: AttemptStatus
    """What is known of it for good; a recorded field is never lost again."""

    is_launched: bool
    """Whether the launcher has evidence that it was ever started."""

    is_live: bool
    """Whether anything of it is still there: a process, a cluster, pods."""

    stop_requested: datetime | None = None
    """When it was asked to stop."""

    stop_reason: str = ""
    """Why it was asked to stop, such as `Paused`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueState:
    """The job's standing with whatever admits jobs: Kueue, or the local pools."""

    is_admitted: bool
    """Whether the job may start an attempt now, or holds its place already. On a cluster an attempt
    is made at once: False then says that it waits there for quota or nodes."""

    status: QueueStatus = field(default_factory=QueueStatus)
    """Queue, pool, position, one-word reason."""

    needs: str = ""
    """What it asks for, in words: `24 x H100`, or `the pool 'local'`."""

    free: str = ""
    """What is free, in words; empty where nobody knows."""

    blockers: tuple[str, ...] = ()
    """Names of jobs that hold what it waits for."""

    trouble: str = ""
    """A sentence about what will never, or not soon, let it start; empty where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Everything that `decide` looks at."""

    uid: str
    name: str
    spec: VPPOJobSpec
    generation: int
    created: datetime
    deletion_requested: datetime | None = None
    is_archived: bool = False
    """Whether the final status is written to the archive."""

    attempts: tuple[AttemptState, ...] = ()
    """Every attempt ever recorded, oldest first."""

    queue: QueueState = field(default_factory=lambda: QueueState(is_admitted=True))
    progress: Progress | None = None
    """What the driver of the live attempt said last."""

    checkpoint: CheckpointStatus | None = None
    """The newest complete checkpoint."""

    status: VPPOJobStatus = field(default_factory=VPPOJobStatus)
    """The status written last: transition times are kept from here."""

    now: datetime
