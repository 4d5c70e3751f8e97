"""What is to be done about a job; each launcher maps these to its own means."""

from dataclasses import dataclass
from datetime import datetime

from vppo_core.spec.status import AttemptStatus, VPPOJobStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class StartAttempt:
    """Start an attempt; starting one that was started already does nothing."""

    index: int
    resume: bool
    """Whether it goes on from the newest checkpoint; an attempt after the first always may."""

    halve_micro_batch: bool = False
    """Whether the last one ran out of memory: train with half of `maxTokensPerMicroBatch`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestStop:
    """Ask an attempt to finish its step, save and end; asking twice does nothing."""

    index: int
    reason: str
    """`Paused`, `Cancelled`, `Deadline` or `Deleted`."""

    deadline: datetime
    """When it will be ended by force."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteAttempt:
    """End an attempt by force and remove what is left of it; doing so twice does nothing."""

    index: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveJob:
    """Write the final status to the archive; a deleted job is let go only after that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseJob:
    """Let a deleted job go: its record stays, its object and place in the queue do not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpireJob:
    """Remove the files of a job whose `ttlSecondsAfterFinished` is over; its record stays."""


Action = StartAttempt | RequestStop | DeleteAttempt | ArchiveJob | ReleaseJob | ExpireJob


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEvent:
    """Something that happened to the job, for people and for the audit log."""

    kind: str
    """`Normal` or `Warning`."""

    reason: str
    """One word, such as `AttemptStarted`."""

    message: str
    """One sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The answer of `decide`. Status and attempts are written down before anything is done."""

    status: VPPOJobStatus
    attempts: tuple[AttemptStatus, ...]
    """All attempts as they are to be recorded, oldest first, a new one included."""

    actions: tuple[Action, ...] = ()
    events: tuple[JobEvent, ...] = ()
    requeue_after_seconds: float | None = None
    """When to look again although nothing changed; None means only on a change."""
