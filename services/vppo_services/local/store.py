"""The jobs of one machine: `JobStore` on SQLite (or PostgreSQL) and run folders."""

import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Self

from vppo_core.archive import job_lists, jobs, usage
from vppo_core.archive.database import Database
from vppo_core.archive.errors import NameTakenError
from vppo_core.archive.records import (
    CheckpointRecord,
    IdempotencyKey,
    JobChanges,
    JobQuery,
    JobRecord,
    Page,
    UsageRow,
)
from vppo_core.lifecycle.explain import Explanation, explain
from vppo_core.lifecycle.offers import NAMESPACE, check_job, check_priority, queue_of
from vppo_core.spec.hashing import spec_hash
from vppo_core.spec.job import VPPOJob
from vppo_core.spec.origin import made_by
from vppo_core.spec.platform import PlatformSpec
from vppo_core.spec.status import JobPhase
from vppo_services.local import checkpoint_verbs
from vppo_services.local.endpoints import RunPage, pages_of_all
from vppo_services.local.launch_plan import DRIVER, planned_process
from vppo_services.local.launcher import Launcher
from vppo_services.local.manifest import manifest_of
from vppo_services.local.reading import Observer
from vppo_services.local.step_times import typical_seconds
from vppo_services.local.store_history import HistoryStore
from vppo_services.local.store_runs import RunStore
from vppo_services.local.store_webhooks import WebhookStore
from vppo_services.local.submitting import body_hash, new_name

NAME_TRIES: Final = 5


class SqlJobStore(RunStore, HistoryStore, WebhookStore):
    """Jobs, their history and what they left behind, on one machine.

    Every method may be called from several threads, and several processes may share one state.
    Changes wake the loop of this process; that of another one sees them within a second.
    """

    def __init__(
        self,
        db: Database,
        *,
        jobs_folder: Path,
        platform: PlatformSpec,
        clock: Callable[[], datetime],
        wake: Callable[[], None],
        command: Sequence[str] = DRIVER,
        new_uid: Callable[[], str] = lambda: str(uuid.uuid4()),
    ) -> None:
        """Serve what a database and the run folders hold.

        Args:
            clock: the time, with its zone.
            wake: told of every change of a job.
            command: what starts a driver, as the launcher has it; shown in plans.
        """
        RunStore.__init__(self, jobs_folder)
        WebhookStore.__init__(self, db, clock)
        self._platform = platform
        self._wake = wake
        self._command = tuple(command)
        self._new_uid = new_uid
        self._observer = Observer(db, Launcher(jobs_folder), platform)

    def within(self, namespace: str) -> Self:
        """The same store: a machine has one namespace."""
        assert namespace == NAMESPACE, f"a machine has one namespace, got {namespace!r}"
        return self

    @property
    def platform(self) -> PlatformSpec:
        """Pools, queues and priorities."""
        return self._platform

    def check(self, job: VPPOJob) -> None:
        """Refuse what this platform cannot run.

        Raises:
            InvalidSpecError: one line for each thing that is wrong.
        """
        check_job(job, self._platform)

    def create(
        self,
        job: VPPOJob,
        *,
        owner: str,
        idempotency: IdempotencyKey | None = None,
        request_id: str = "",
    ) -> tuple[JobRecord, bool]:
        """Accept a job; the second value says whether it is a replay of an earlier request.

        Raises:
            NameTakenError, IdempotencyConflictError, StoreUnavailableError.
        """
        hashed, job = body_hash(job), made_by(job, request_id)
        tries = NAME_TRIES if not job.metadata.name and idempotency is None else 1
        for _ in range(tries - 1):
            with suppress(NameTakenError):  # by chance: generated names are short
                return self._create(job, owner=owner, idempotency=idempotency, hashed=hashed)
        return self._create(job, owner=owner, idempotency=idempotency, hashed=hashed)

    def _create(
        self, job: VPPOJob, *, owner: str, idempotency: IdempotencyKey | None, hashed: str
    ) -> tuple[JobRecord, bool]:
        uid = self._new_uid()
        name = job.metadata.name or new_name(job, uid, idempotency)
        meta = job.metadata.model_copy(update={"name": name, "namespace": NAMESPACE})
        made = jobs.create_job(
            self._db,
            job.model_copy(update={"metadata": meta}),
            uid=uid,
            owner=owner,
            spec_hash=spec_hash(job.spec),
            now=self._clock(),
            idempotency=idempotency,
            body_hash=hashed,
        )
        self._wake()
        return made

    def get(self, name: str, *, uid: str | None = None) -> JobRecord:
        """The newest job of a name, or the one with that uid; finished and deleted ones too.

        Raises:
            JobNotFoundError.
        """
        return jobs.get_job(self._db, name, uid=uid)

    def recorded(self, record: JobRecord) -> JobRecord:
        """The job as its history has it, which is all that there is.

        Raises:
            JobNotFoundError.
        """
        return self.get(record.name, uid=record.uid)

    def list_jobs(self, query: JobQuery) -> Page[JobRecord]:
        """Jobs, newest first.

        Raises:
            BadCursorError, CursorMismatchError.
        """
        return job_lists.list_jobs(self._db, query)

    def patch(
        self, name: str, changes: JobChanges, *, actor: str, if_version: int | None = None
    ) -> JobRecord:
        """Change mutable fields; what is not allowed changes nothing.

        Raises:
            StaleVersionError, NotAllowedNowError, InvalidSpecError.
        """
        check_priority(changes.priority or "", self._platform)
        record = jobs.patch_job(
            self._db, name, changes, actor=actor, now=self._clock(), if_version=if_version
        )
        self._wake()
        return record

    def delete(self, name: str, *, actor: str) -> JobRecord:
        """Ask for deletion: a live attempt saves and ends first. Asking twice changes nothing."""
        record = jobs.request_deletion(self._db, name, actor=actor, now=self._clock())
        self._wake()
        return record

    def promote_checkpoint(self, name: str, step: int, *, actor: str) -> CheckpointRecord:
        """Keep a checkpoint for good.

        Raises:
            JobNotFoundError: there is no such checkpoint, or it is gone by now.
        """
        return checkpoint_verbs.promote(
            self._db, self.get(name), step, actor=actor, now=self._clock()
        )

    def delete_checkpoint(self, name: str, step: int, *, actor: str) -> CheckpointRecord:
        """Remove a checkpoint.

        Raises:
            NotAllowedNowError: it is the newest one of a job that is not finished.
        """
        return checkpoint_verbs.delete(
            self._db, self.get(name), step, actor=actor, now=self._clock()
        )

    def explain(self, name: str) -> Explanation:
        """Why the job waits, or what it is doing."""
        now = self._clock()
        return explain(self._observer.observe(self.get(name), now))

    def usage(self, *, start: datetime, end: datetime, group_by: str) -> Sequence[UsageRow]:
        """GPU-seconds by `job`, `owner`, `queue` or `day`."""
        return usage.usage_between(self._db, start, end, group_by)

    def queues(self) -> Sequence[dict[str, Any]]:
        """`{name, pool, waiting, running}` for each queue."""
        waiting = dict.fromkeys((queue.name for queue in self._platform.queues), 0)
        running = dict(waiting)
        for record in self._observer.active():
            queue = queue_of(record.spec, self._platform)
            if queue is None or record.phase.is_final or record.phase is JobPhase.PAUSED:
                continue
            is_running = record.phase in (
                JobPhase.STARTING,
                JobPhase.RUNNING,
                JobPhase.STOPPING,
            )
            (running if is_running else waiting)[queue.name] += 1
        return [
            {
                "name": queue.name,
                "pool": queue.pool,
                "waiting": waiting[queue.name],
                "running": running[queue.name],
            }
            for queue in self._platform.queues
        ]

    def run_pages(self) -> Sequence[RunPage]:
        """Where Prometheus finds the pages of running attempts.

        Raises:
            StoreUnavailableError.
        """
        return pages_of_all(self._observer.active(), self._jobs_folder)

    def manifest(self, uid: str) -> dict[str, Any]:
        """What it takes to repeat the run."""
        return manifest_of(
            jobs.get_job(self._db, "", uid=uid),
            self._run(uid),
            attempts=self.attempts(uid),
            checkpoints=self.checkpoints(uid),
        )

    def plan_process(self, job: VPPOJob) -> dict[str, Any]:
        """What an attempt would be: command, environment and folder."""
        return planned_process(self._command, self._jobs_folder, job, self._platform)

    def typical_step_seconds(self, job: VPPOJob) -> float | None:
        """Median step time of finished jobs with the same model and rollout size, if any."""
        done = JobQuery(limit=100, phases=(JobPhase.SUCCEEDED,))
        return typical_seconds(job.spec, self.list_jobs(done).items)

    def ready(self) -> None:
        """Answer only if jobs can be accepted.

        Raises:
            StoreUnavailableError.
        """
        with self._db.writing():
            pass
