"""How a job is doing: what `.status` of a job object holds, on every door."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field

from vppo_core.spec.base import ShortText, SpecModel, Uri

MAX_ATTEMPTS_SHOWN: Final = 10


class JobPhase(StrEnum):
    """One word for people; programs read the conditions."""

    PENDING = "Pending"
    QUEUED = "Queued"
    STARTING = "Starting"
    RUNNING = "Running"
    STOPPING = "Stopping"
    RETRYING = "Retrying"
    PAUSED = "Paused"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELLED = "Cancelled"

    @property
    def is_final(self) -> bool:
        """Whether the job never leaves this phase."""
        return self in (JobPhase.SUCCEEDED, JobPhase.FAILED, JobPhase.CANCELLED)


class ConditionType(StrEnum):
    """What a condition speaks of."""

    ACCEPTED = "Accepted"
    QUEUED = "Queued"
    CLUSTER_READY = "ClusterReady"
    RUNNING = "Running"
    PAUSED = "Paused"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    FINISHED = "Finished"
    ARCHIVED = "Archived"


class ConditionStatus(StrEnum):
    """Kubernetes' three truth values."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(SpecModel):
    """A statement about the job, in the form of Kubernetes' `metav1.Condition`."""

    type: ConditionType
    """What the statement is about."""

    status: ConditionStatus
    """Whether it holds."""

    reason: Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z][A-Za-z0-9]*$")]
    """One word for programs."""

    message: Annotated[str, Field(max_length=1024)] = ""
    """One sentence for people."""

    last_transition_time: datetime
    """When `status` changed last."""

    observed_generation: int = 0
    """Generation of the spec that the statement was made about."""


class Outcome(StrEnum):
    """How an attempt ended."""

    SUCCEEDED = "Succeeded"
    STOPPED = "Stopped"
    FAILED = "Failed"
    LOST = "Lost"


class FailureClass(StrEnum):
    """Why an attempt ended badly; it decides whether, when and at whose cost there is another."""

    USER_ERROR = "UserError"
    DATA_ERROR = "DataError"
    OUT_OF_MEMORY = "OutOfMemory"
    PREEMPTED = "Preempted"
    NODE_LOST = "NodeLost"
    NETWORK = "Network"
    START_TIMEOUT = "StartTimeout"
    DEADLINE = "Deadline"
    RENDERING = "Rendering"
    APP_FAILED = "AppFailed"


class AttemptStatus(SpecModel):
    """One try at the job."""

    index: int
    """1 for the first."""

    created: datetime
    """When the attempt was decided on."""

    waiting: bool = False
    """Whether it waits for quota or nodes; until then it holds nothing."""

    admitted: datetime | None = None
    """When it stopped waiting; absent where it never waited."""

    started: datetime | None = None
    """When it reported its first step."""

    ended: datetime | None = None
    """When nothing of it was left."""

    outcome: Outcome | None = None
    """How it ended."""

    failure_class: FailureClass | None = None
    """Why it ended badly."""

    message: Annotated[str, Field(max_length=1024)] = ""
    """What it said at its end."""

    exit_code: int | None = None
    """Exit code of its driver."""

    charged: bool = False
    """Whether it counts against `scheduling.maxAttempts`."""

    first_step: int = 0
    """Step that it started from."""

    last_step: int = 0
    """Last step that it finished."""

    checkpoint_step: int = 0
    """Last step that it saved; what lies between this and `lastStep` is lost at a bad end."""

    gpus: int = 0
    """GPUs that it held."""

    def held_since(self, now: datetime) -> datetime:
        """From when on it held its machines; `now`, or its end, while it waits for them."""
        if self.waiting:
            return self.ended or now
        return self.admitted or self.created


class Progress(SpecModel):
    """How far the live attempt is, as its driver says."""

    step: int = 0
    """Steps done."""

    total_steps: int = 0
    """Steps to do."""

    display: ShortText = ""
    """Both, as `12/200`."""

    stage: ShortText = ""
    """What the driver is doing: a stage of the step, or `starting`."""

    eta_seconds: float | None = None
    """Estimated time to the end, from the mean of the last steps."""

    stage_seconds: dict[str, float] = {}  # noqa: RUF012 - pydantic copies it
    """Wall time of each stage in the last step."""

    updated: datetime | None = None
    """When the driver said so."""


class CheckpointStatus(SpecModel):
    """A checkpoint that a new attempt can go on from."""

    step: int
    """Steps done."""

    uri: Uri
    """Where it lies."""

    created: datetime
    """When it was complete."""


class QueueStatus(SpecModel):
    """The job's place among those that wait."""

    name: ShortText = ""
    """Queue."""

    pool: ShortText = ""
    """Pool that the queue feeds."""

    position: int = 0
    """1 for the next one; 0 when it does not wait."""

    reason: ShortText = ""
    """One word, such as `WaitingForQuota`."""


class UsageStatus(SpecModel):
    """What the job has cost so far. Without GPUs, seconds of the whole machine count as one GPU."""

    gpus: int = 0
    """GPUs that it holds now."""

    gpu_seconds_allocated: float = 0.0
    """GPUs held, times how long."""

    gpu_seconds_productive: float = 0.0
    """Of these, spent on steps that are part of the result."""

    gpu_seconds_lost: float = 0.0
    """Of these, spent on steps that had to be done again or never were saved."""


class VPPOJobStatus(SpecModel):
    """What the operator, or the local loop, says about a job. Bounded in size."""

    phase: JobPhase = JobPhase.PENDING
    """One word for people."""

    observed_generation: int = 0
    """Generation of the spec that this status is about."""

    spec_hash: ShortText = ""
    """SHA-256 of the resolved spec."""

    conditions: Annotated[tuple[Condition, ...], Field(max_length=16)] = ()
    """Statements for programs."""

    attempt: int = 0
    """Index of the last attempt; 0 before the first."""

    attempts: Annotated[tuple[AttemptStatus, ...], Field(max_length=MAX_ATTEMPTS_SHOWN)] = ()
    """The last attempts, oldest first; the archive has all."""

    progress: Progress = Progress()
    """How far it is."""

    checkpoint: CheckpointStatus | None = None
    """The newest checkpoint."""

    queue: QueueStatus = QueueStatus()
    """Its place in the queue."""

    usage: UsageStatus = UsageStatus()
    """What it has cost."""
