"""The API as methods that block."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from vppo_core.spec.objects import JobObject
from vppo_core.spec.platform import PoolOffer
from vppo_services.cli.client import following, history_calls, job_calls
from vppo_services.cli.client.following import StreamReset, Watched
from vppo_services.cli.client.history_calls import ALL_LINES, LogFilter
from vppo_services.cli.client.job_calls import (
    ALL_JOBS,
    MAX_LIMIT,
    MAX_LINES,
    Created,
    JobFilter,
    JobLike,
)
from vppo_services.cli.client.sending import SyncSender
from vppo_services.cli.client.shapes import (
    Artifact,
    Attempt,
    Checkpoint,
    Delivery,
    EventPage,
    Explanation,
    JobPage,
    LogLine,
    LogPage,
    MetricsLine,
    MetricsPage,
    Plan,
    Queue,
    UsageRow,
    Webhook,
)


class Client(SyncSender):
    """The jobs of a server. Every method raises `ApiProblem` where the API refuses.

    Example:
        with Client("http://127.0.0.1:8080") as client:
            job = client.create(load_job(Path("job.yaml").read_text())).job
            for change in client.watch(job.metadata.name):
                print(change)
    """

    def create(self, job: JobLike, *, idempotency_key: str = "", plan_hash: str = "") -> Created:
        """Send a job. A lost answer is asked for again without making a second job.

        Args:
            idempotency_key: makes repeated calls one job; without it, each call makes one.
            plan_hash: of `plan`; the job is refused if the plan no longer holds.
        """
        return self._send(
            job_calls.create(job, idempotency_key=idempotency_key, plan_hash=plan_hash)
        )

    def plan(self, job: JobLike) -> Plan:
        """What would happen if the job were sent."""
        return self._send(job_calls.plan(job))

    def get(self, name: str, *, uid: str = "") -> JobObject:
        """The newest job of a name, or the one with that uid."""
        return self._send(job_calls.get(name, uid=uid))

    def jobs(
        self, wanted: JobFilter = ALL_JOBS, *, limit: int = 20, cursor: str | None = None
    ) -> JobPage:
        """A page of jobs, newest first; `limit` is at most 100."""
        return self._send(job_calls.jobs(wanted, limit=limit, cursor=cursor))

    def all_jobs(self, wanted: JobFilter = ALL_JOBS) -> Iterator[JobObject]:
        """All jobs, newest first, page by page."""
        page = self.jobs(wanted, limit=MAX_LIMIT)
        yield from page.items
        while page.next_cursor:
            page = self.jobs(wanted, limit=MAX_LIMIT, cursor=page.next_cursor)
            yield from page.items

    def patch(self, name: str, changes: Mapping[str, Any], *, version: str = "") -> JobObject:
        """Change mutable fields by a merge patch; with `version`, only of that resourceVersion."""
        return self._send(job_calls.patch(name, changes, version=version))

    def pause(self, name: str) -> JobObject:
        """Ask a job to save a checkpoint and wait."""
        return self._send(job_calls.verb(name, "pause"))

    def resume(self, name: str) -> JobObject:
        """Let a paused job go on."""
        return self._send(job_calls.verb(name, "resume"))

    def cancel(self, name: str) -> JobObject:
        """Ask a job to save a checkpoint and end for good."""
        return self._send(job_calls.verb(name, "cancel"))

    def delete(self, name: str) -> JobObject:
        """Ask for deletion: a live attempt saves and ends first; the record stays."""
        return self._send(job_calls.delete(name))

    def clone(
        self,
        name: str,
        *,
        new_name: str = "",
        changes: Mapping[str, Any] | None = None,
        idempotency_key: str = "",
    ) -> JobObject:
        """A new job from the spec of another; `changes` are merged into its mapping."""
        call = job_calls.clone(
            name, new_name=new_name, changes=changes or {}, idempotency_key=idempotency_key
        )
        return self._send(call)

    def events(self, name: str, *, after: str = "", limit: int = MAX_LINES) -> EventPage:
        """A page of a job's history, oldest first."""
        return self._send(history_calls.events(name, after=after, limit=limit))

    def metrics(self, name: str, *, after: str = "", limit: int = MAX_LINES) -> MetricsPage:
        """A page of a job's numbers, oldest first."""
        return self._send(history_calls.metrics(name, after=after, limit=limit))

    def logs(
        self,
        name: str,
        *,
        after: str = "",
        limit: int = MAX_LINES,
        wanted: LogFilter = ALL_LINES,
        tail: int | None = None,
    ) -> LogPage:
        """A page of a job's log, oldest first; with `tail`, so many of its last lines."""
        call = history_calls.logs(name, after=after, limit=limit, wanted=wanted, tail=tail)
        return self._send(call)

    def watch(self, name: str, *, after: str = "") -> Generator[Watched, None, None]:
        """Status and events as they come, over reconnects, until the job is final."""
        return self._follow(following.watch(name, after))

    def stream_logs(
        self,
        name: str,
        *,
        after: str = "",
        wanted: LogFilter = ALL_LINES,
        tail: int | None = None,
    ) -> Generator[LogLine | StreamReset, None, None]:
        """Log lines as they come, over reconnects, until the job is final."""
        return self._follow(following.log_lines(name, after, wanted=wanted, tail=tail))

    def stream_metrics(
        self, name: str, *, after: str = ""
    ) -> Generator[MetricsLine | StreamReset, None, None]:
        """Numbers as they come, over reconnects, until the job is final."""
        return self._follow(following.metrics_lines(name, after))

    def attempts(self, name: str) -> Sequence[Attempt]:
        """Every attempt, oldest first."""
        return self._send(history_calls.attempts(name)).items

    def checkpoints(self, name: str) -> Sequence[Checkpoint]:
        """Checkpoints that exist, oldest first."""
        return self._send(history_calls.checkpoints(name)).items

    def promote_checkpoint(self, name: str, step: int) -> None:
        """Keep a checkpoint for good."""
        self._send(history_calls.promote(name, step))

    def delete_checkpoint(self, name: str, step: int) -> None:
        """Remove a checkpoint."""
        self._send(history_calls.delete_checkpoint(name, step))

    def artifacts(self, name: str) -> Sequence[Artifact]:
        """Files that the run left behind."""
        return self._send(history_calls.artifacts(name)).items

    def artifact(self, name: str, path: str) -> bytes:
        """The bytes of one of these files."""
        return self._send(history_calls.artifact(name, path))

    def explain(self, name: str) -> Explanation:
        """Why a job waits, or what it is doing."""
        return self._send(history_calls.explain(name))

    def manifest(self, name: str) -> dict[str, Any]:
        """What it takes to repeat the run."""
        return self._send(history_calls.document("jobs", name, "manifest"))

    def schema(self, kind: str) -> dict[str, Any]:
        """The schema of a `job`, of the `platform`, or of the API (`openapi`)."""
        return self._send(history_calls.document("schema", kind))

    def usage(
        self, *, start: datetime | None = None, end: datetime | None = None, group_by: str = "job"
    ) -> Sequence[UsageRow]:
        """GPU-seconds by `job`, `owner`, `queue` or `day`."""
        return self._send(history_calls.usage(start=start, end=end, group_by=group_by)).items

    def queues(self) -> Sequence[Queue]:
        """Queues and how full they are."""
        return self._send(history_calls.queues()).items

    def pools(self) -> Sequence[PoolOffer]:
        """Pools of the installation."""
        return self._send(history_calls.pools()).items

    def webhooks(self) -> Sequence[Webhook]:
        """The caller's webhooks."""
        return self._send(history_calls.webhooks()).items

    def create_webhook(self, url: str, *, events: Sequence[str] = (), secret: str = "") -> Webhook:
        """Tell a place of events; the answer holds the secret, once."""
        return self._send(history_calls.create_webhook(url, events=tuple(events), secret=secret))

    def delete_webhook(self, webhook: str) -> None:
        """Stop telling it."""
        self._send(history_calls.delete_webhook(webhook))

    def deliveries(self, webhook: str) -> Sequence[Delivery]:
        """Messages to a webhook, newest first."""
        return self._send(history_calls.deliveries(webhook)).items

    def redeliver(self, webhook: str, number: int) -> None:
        """Send a message once more."""
        self._send(history_calls.redeliver(webhook, number))
