"""Rows as the rest of the program sees them: frozen, typed, without SQL."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Generic, TypeVar

from vppo_core.spec.job import API_VERSION, KIND, ObjectMeta, VPPOJob, VPPOJobSpec
from vppo_core.spec.status import JobPhase, VPPOJobStatus

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[Row]):
    """Rows and the way to the next ones."""

    items: tuple[Row, ...]
    next_cursor: str | None
    """Opaque; None on the last page."""


@dataclass(frozen=True, kw_only=True)
class JobRecord:
    """A job. Its spec and status are kept as text and read only when asked for."""

    uid: str
    name: str
    namespace: str
    owner: str
    """Who created it."""

    labels: dict[str, str]
    annotations: dict[str, str]
    spec_json: str
    """The resolved spec, names of the wire."""

    status_json: str
    """The status, names of the wire."""

    spec_hash: str
    phase: JobPhase
    generation: int
    version: int
    """Raised by every write of the row; the ETag."""

    created: datetime
    finished: datetime | None = None
    deletion_requested: datetime | None = None
    released: datetime | None = None
    """When a deleted job was let go; its name is free from then on."""

    expired: datetime | None = None
    """When its files were removed."""

    @cached_property
    def spec(self) -> VPPOJobSpec:
        """The resolved spec."""
        return VPPOJobSpec.model_validate_json(self.spec_json)

    @cached_property
    def status(self) -> VPPOJobStatus:
        """The status written last."""
        return VPPOJobStatus.model_validate_json(self.status_json)

    @property
    def job(self) -> VPPOJob:
        """The object as it was asked for."""
        meta = ObjectMeta(
            name=self.name,
            namespace=self.namespace,
            labels=self.labels,
            annotations=self.annotations,
        )
        return VPPOJob(metadata=meta, spec=self.spec)

    def as_json(self) -> str:
        """The object with its status (`vppo_core.spec.objects.JobObject`), spliced, not parsed."""
        meta: dict[str, Any] = {
            "name": self.name,
            "namespace": self.namespace,
            "labels": self.labels,
            "annotations": self.annotations,
            "uid": self.uid,
            "creationTimestamp": timestamp(self.created),
            "deletionTimestamp": timestamp(self.deletion_requested),
            "generation": self.generation,
            "resourceVersion": str(self.version),
        }
        return (
            f'{{"apiVersion":"{API_VERSION}","kind":"{KIND}","metadata":{json.dumps(meta)},'
            f'"spec":{self.spec_json},"status":{self.status_json}}}'
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRecord:
    """A line of a job's history; also the audit log and the source of streams."""

    seq: int
    """Raised by every event of the archive; the id of a stream's event."""

    job_uid: str
    job_name: str
    time: datetime
    actor: str
    """Who did it: a caller, or `vppo`."""

    kind: str
    """`Normal`, `Warning` or `Audit`."""

    reason: str
    message: str
    payload: dict[str, Any]
    """Facts for programs; `{"phase": ..., "step": ...}` where these apply."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointRecord:
    """A checkpoint of a job."""

    step: int
    uri: str
    attempt: int
    size_bytes: int
    created: datetime
    metrics: dict[str, float]
    """Values of the step that a person chooses by: reward, accuracy, dependency."""

    is_promoted: bool = False
    """Whether it is kept whatever `checkpoint.keepLast` and the job's expiry say."""

    deleted: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRow:
    """GPU-seconds of a group: a job, an owner, a queue or a day."""

    group: str
    gpu_seconds_allocated: float
    gpu_seconds_productive: float
    gpu_seconds_lost: float
    jobs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookRecord:
    """A place that is told of events."""

    id: str
    url: str
    events: tuple[str, ...]
    """Reasons that it wants; empty means all."""

    owner: str
    created: datetime
    namespace: str = ""
    """It is told of jobs of this namespace; empty means all, as on one machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRecord:
    """One message to one webhook."""

    number: int
    """Counts up over all webhooks."""

    webhook_id: str
    event_seq: int
    body: str
    attempts: int
    next_try: datetime | None
    """None when it is delivered or given up."""

    delivered: datetime | None
    last_status: int | None
    """HTTP status of the last try."""

    last_error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """Messages that wait for their receivers."""

    count: int
    oldest_seconds: float
    """Age of the event that the longest waiting one tells of; 0 without any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotencyKey:
    """What makes a repeated request the same request."""

    tenant: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobQuery:
    """Filters of a list."""

    limit: int = 20
    cursor: str | None = None
    phases: tuple[JobPhase, ...] = ()
    queue: str | None = None
    owner: str | None = None
    labels: tuple[tuple[str, str], ...] = ()
    """All of these labels."""

    annotations: tuple[tuple[str, str], ...] = ()
    """All of these annotations (`metadata[k]=v`)."""

    created_after: datetime | None = None
    name_contains: str | None = None
    namespace: str | None = None
    """Of one namespace; None lists all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobChanges:
    """A change of the mutable fields; None leaves a field as it is."""

    desired_state: str | None = None
    priority: str | None = None
    active_deadline_seconds: int | None = None
    pending_deadline_seconds: int | None = None
    ttl_seconds_after_finished: int | None = None
    labels: dict[str, str | None] | None = None
    """Labels to set, or to remove with None."""

    annotations: dict[str, str | None] | None = None


def timestamp(moment: datetime | None) -> str | None:
    """RFC 3339 in UTC with milliseconds, as every door writes it."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
