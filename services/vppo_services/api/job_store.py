"""What the API needs of a store of jobs; `local` has it for one machine.

All methods may be called from several threads, and several API processes may share one store.
Errors are those of `vppo_core.archive.errors`; `StoreUnavailableError` means that nothing was done.
"""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from vppo_core.archive.records import (
    Backlog,
    CheckpointRecord,
    DeliveryRecord,
    EventRecord,
    IdempotencyKey,
    JobChanges,
    JobQuery,
    JobRecord,
    Page,
    UsageRow,
    WebhookRecord,
)
from vppo_core.archive.run_records import Artifact, Lines, LogLine, MetricsLine
from vppo_core.lifecycle.explain import Explanation
from vppo_core.spec.job import VPPOJob
from vppo_core.spec.platform import PlatformSpec
from vppo_core.spec.status import AttemptStatus
from vppo_services.local.endpoints import RunPage


class JobStore(Protocol):
    """Jobs, their history and what they left behind."""

    def within(self, namespace: str) -> "JobStore":
        """The same store for the jobs of one namespace; on one machine there is only one."""
        ...

    @property
    def platform(self) -> PlatformSpec:
        """Pools, queues and priorities."""
        ...

    def check(self, job: VPPOJob) -> None:
        """Refuse what this platform cannot run: an unknown queue, priority, pool or namespace.

        Raises:
            InvalidSpecError: one line for each thing that is wrong.
        """
        ...

    def create(
        self,
        job: VPPOJob,
        *,
        owner: str,
        idempotency: IdempotencyKey | None = None,
        request_id: str = "",
    ) -> tuple[JobRecord, bool]:
        """Accept a job; the second value says whether it is a replay of an earlier request.

        A job without a name gets one. It carries the id of the request that made it, which the log
        lines about it have.

        Raises:
            NameTakenError, IdempotencyConflictError, StoreUnavailableError.
        """
        ...

    def get(self, name: str, *, uid: str | None = None) -> JobRecord:
        """The newest job of a name, or the one with that uid; finished and deleted ones too."""
        ...

    def recorded(self, record: JobRecord) -> JobRecord:
        """The job as its history has it: all that led to this status can be read. On a cluster it
        may be a second behind `get`, and costs its API server nothing.

        Raises:
            JobNotFoundError, StoreUnavailableError.
        """
        ...

    def list_jobs(self, query: JobQuery) -> Page[JobRecord]:
        """Jobs, newest first.

        Raises:
            BadCursorError, CursorMismatchError.
        """
        ...

    def patch(
        self, name: str, changes: JobChanges, *, actor: str, if_version: int | None = None
    ) -> JobRecord:
        """Change mutable fields; what is not allowed (leaving `Cancelled`, lowering a deadline,
        changing a finished job) changes nothing.

        Raises:
            StaleVersionError, NotAllowedNowError, InvalidSpecError (a value that is not allowed).
        """
        ...

    def delete(self, name: str, *, actor: str) -> JobRecord:
        """Ask for deletion: a live attempt saves and ends first. Asking twice changes nothing."""
        ...

    def events(self, uid: str, *, after: int = 0, limit: int = 100) -> Sequence[EventRecord]:
        """Events of a job with a higher `seq`, oldest first."""
        ...

    def attempts(self, uid: str) -> Sequence[AttemptStatus]:
        """Every attempt, oldest first."""
        ...

    def checkpoints(self, uid: str) -> Sequence[CheckpointRecord]:
        """Checkpoints that exist, oldest first."""
        ...

    def promote_checkpoint(self, name: str, step: int, *, actor: str) -> CheckpointRecord:
        """Keep a checkpoint for good."""
        ...

    def delete_checkpoint(self, name: str, step: int, *, actor: str) -> CheckpointRecord:
        """Remove a checkpoint.

        Raises:
            NotAllowedNowError: it is the newest one of a job that is not finished.
        """
        ...

    def explain(self, name: str) -> Explanation:
        """Why the job waits, or what it is doing."""
        ...

    def usage(self, *, start: datetime, end: datetime, group_by: str) -> Sequence[UsageRow]:
        """GPU-seconds by `job`, `owner`, `queue` or `day`."""
        ...

    def queues(self) -> Sequence[dict[str, Any]]:
        """`{name, pool, waiting, running}` for each queue."""
        ...

    def metrics(self, uid: str, *, after: str = "", limit: int = 100) -> Lines[MetricsLine]:
        """Numbers of steps behind a position, oldest first; a step may come in several lines."""
        ...

    def logs(self, uid: str, *, after: str = "", limit: int = 100) -> Lines[LogLine]:
        """Log lines behind a position, oldest first."""
        ...

    def artifacts(self, uid: str) -> Sequence[Artifact]:
        """Files of the run: report, summary, samples, model; not checkpoints."""
        ...

    def artifact_path(self, uid: str, path: str) -> Path:
        """Where an artifact lies.

        Raises:
            JobNotFoundError: no such file, or one outside the run's folder.
        """
        ...

    def spotlight_steps(self, uid: str) -> Sequence[int]:
        """Steps with sampled answers, oldest first."""
        ...

    def spotlight(self, uid: str, step: int) -> dict[str, Any]:
        """Sampled answers of a step, as the driver wrote them (`driver/spotlight.py`)."""
        ...

    def manifest(self, uid: str) -> dict[str, Any]:
        """What it takes to repeat the run."""
        ...

    def plan_process(self, job: VPPOJob) -> dict[str, Any]:
        """What an attempt would be: command and environment here, a RayJob on a cluster."""
        ...

    def typical_step_seconds(self, job: VPPOJob) -> float | None:
        """Median step time of finished jobs with the same model and rollout size, if any."""
        ...

    def webhooks(self, *, owner: str | None = None) -> Sequence[WebhookRecord]:
        """All webhooks, oldest first."""
        ...

    def create_webhook(
        self, url: str, *, secret: str, events: Sequence[str], owner: str
    ) -> WebhookRecord:
        """Tell a place of events from now on."""
        ...

    def delete_webhook(self, webhook_id: str, *, actor: str) -> None:
        """Stop telling it."""
        ...

    def deliveries(self, webhook_id: str, *, limit: int = 100) -> Sequence[DeliveryRecord]:
        """Messages to a webhook, newest first."""
        ...

    def redeliver(self, webhook_id: str, number: int, *, actor: str) -> DeliveryRecord:
        """Send a message once more, at once."""
        ...

    def due_deliveries(
        self, *, now: datetime, limit: int
    ) -> Sequence[tuple[DeliveryRecord, WebhookRecord, str]]:
        """Messages to send now, each with its webhook and secret; they are leased for a minute, so
        that two senders do not send one message."""
        ...

    def record_delivery(
        self,
        number: int,
        *,
        status: int | None,
        error: str,
        next_try: datetime | None,
        now: datetime,
    ) -> None:
        """Write down how sending went; `next_try` None ends it."""
        ...

    def delivery_backlog(self) -> Backlog:
        """Messages that wait for their receivers."""
        ...

    def run_pages(self) -> Sequence[RunPage]:
        """Where the pages of running attempts are that no cluster shows."""
        ...

    def ready(self) -> None:
        """Answer only if jobs can be accepted.

        Raises:
            StoreUnavailableError.
        """
        ...
