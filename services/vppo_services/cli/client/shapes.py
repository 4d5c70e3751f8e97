"""What the API answers with, beside `JobObject` and `VPPOJobStatus`.

A field that this version does not know is left out: a newer server may say more.
"""

from datetime import datetime
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from vppo_core.spec.job import ObjectMeta, VPPOJobSpec
from vppo_core.spec.objects import JobObject
from vppo_core.spec.platform import PoolOffer
from vppo_core.spec.status import AttemptStatus

Item = TypeVar("Item")


class Shape(BaseModel):
    """A part of an answer: frozen, camelCase on the wire."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True
    )


class Items(Shape, Generic[Item]):
    """A list that fits one answer."""

    items: tuple[Item, ...] = ()


class JobPage(Items[JobObject]):
    """Jobs, newest first."""

    next_cursor: str | None = None
    """Where the next page starts; None on the last one."""


class Event(Shape):
    """A line of a job's history."""

    seq: int
    time: datetime
    actor: str = ""
    kind: str = ""
    """`Normal`, `Warning` or `Audit`."""

    reason: str = ""
    message: str = ""
    payload: dict[str, Any] = {}


class EventPage(Items[Event]):
    """Events, oldest first."""

    next_after: str = ""
    """What to ask for next, also when this page is empty."""


class MetricsLine(Shape):
    """Numbers of one step; a step may come in several lines."""

    step: int
    time: datetime
    values: dict[str, float | None] = {}
    """By catalogue reference, such as `reward_mean`; None was not finite."""


class MetricsPage(Items[MetricsLine]):
    """Numbers, oldest first."""

    next_after: str = ""
    is_reset: bool = False
    """Whether the position asked for is gone: these lines start at the beginning."""


class LogLine(Shape):
    """A line of the structured log."""

    time: str
    level: str = "INFO"
    role: str = ""
    attempt: int = 0
    step: int | None = None
    message: str = ""


class LogPage(Items[LogLine]):
    """Log lines, oldest first."""

    next_after: str = ""
    is_reset: bool = False
    """Whether the position asked for is gone: these lines start at the beginning."""


class Attempt(AttemptStatus):
    """One try at the job, with what it cost."""

    lost_steps: int = 0
    """Steps that it finished, never saved, and that were or will be done again."""


class Checkpoint(Shape):
    """A checkpoint that exists."""

    step: int
    uri: str = ""
    attempt: int = 0
    size_bytes: int = 0
    created: datetime
    metrics: dict[str, float | None] = {}
    is_promoted: bool = False
    """Whether it is kept for good."""


class Artifact(Shape):
    """A file that the run left behind."""

    path: str
    size_bytes: int = 0
    modified: datetime
    media_type: str = ""
    href: str = ""


class Cause(Shape):
    """One reason of an explanation."""

    reason: str
    message: str = ""


class Explanation(Shape):
    """Why a job waits, or what it is doing."""

    sentence: str
    causes: tuple[Cause, ...] = ()
    hint: str = ""


class UsageRow(Shape):
    """GPU-seconds of a job, an owner, a queue or a day."""

    group: str
    gpu_seconds_allocated: float = 0.0
    gpu_seconds_productive: float = 0.0
    gpu_seconds_lost: float = 0.0
    jobs: int = 0


class Queue(Shape):
    """A queue and how full it is."""

    name: str
    pool: str = ""
    waiting: int = 0
    running: int = 0


class PlanQueue(Shape):
    """Where the job would wait."""

    name: str = ""
    pool: str = ""
    waiting: int = 0
    is_free: bool = False


class PlanPrice(Shape):
    """What it would cost, in the platform's currency; None where nobody knows."""

    per_hour: float | None = None
    estimated: float | None = None


class PlannedJob(Shape):
    """The job with its defaults, without an identity."""

    metadata: ObjectMeta = ObjectMeta()
    spec: VPPOJobSpec


class Plan(Shape):
    """What would happen if the job were sent."""

    job: PlannedJob
    plan_hash: str
    """For `If-Plan-Match`: create only if this still holds."""

    process: dict[str, Any] = {}
    gpus: int = 0
    queue: PlanQueue = PlanQueue()
    price: PlanPrice | None = None
    estimated_seconds: float | None = None
    warnings: tuple[str, ...] = ()


class Webhook(Shape):
    """A place that is told of events."""

    id: str
    url: str
    events: tuple[str, ...] = ()
    owner: str = ""
    created: datetime
    secret: str = ""
    """Shown once, when it is made."""


class Delivery(Shape):
    """A message to a webhook."""

    number: int
    event_seq: int = 0
    attempts: int = 0
    delivered: datetime | None = None
    next_try: datetime | None = None
    last_status: int | None = None
    last_error: str = ""


Pools = Items[PoolOffer]
