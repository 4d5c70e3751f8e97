"""The jobs of a cluster: `JobStore` on VPPOJob objects, the archive, and mirrored run folders.

What is wanted of a job and how it does stands in its object, and only the API and the operator
write that, each its own half. The operator writes jobs, attempts, checkpoints and usage into the
archive and the files of runs into their folders; here both are read. The API's own rows are
idempotency keys, webhooks, the history's lines about who asked for what, and marks of checkpoints.

Without an archive, history is not available; jobs can be read, made and changed all the same.
"""

import copy
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Self

from vppo_core.archive import jobs, usage
from vppo_core.archive.database import Database
from vppo_core.archive.errors import JobNotFoundError
from vppo_core.archive.job_lists import list_jobs
from vppo_core.archive.records import (
    CheckpointRecord,
    IdempotencyKey,
    JobChanges,
    JobQuery,
    JobRecord,
    Page,
    UsageRow,
)
from vppo_core.archive.run_records import Lines, LogLine
from vppo_core.kube.api import KubeApi
from vppo_core.kube.kinds import VPPO_JOBS
from vppo_core.lifecycle.explain import Explanation
from vppo_core.lifecycle.offers import check_priority
from vppo_core.manifests.check import check_cluster_job
from vppo_core.manifests.plan import NAME, planned_attempt
from vppo_core.spec.job import VPPOJob
from vppo_core.spec.platform import PlatformSpec
from vppo_core.spec.status import JobPhase
from vppo_services.cluster import checkpoint_places
from vppo_services.cluster.answers import answered
from vppo_services.cluster.changing import Changer
from vppo_services.cluster.creation import Creator, Request
from vppo_services.cluster.explaining import explanation_of
from vppo_services.cluster.listing import page_of
from vppo_services.cluster.live import LiveJobs
from vppo_services.cluster.objects import meta_of, record_of
from vppo_services.cluster.pod_logs import PodLogs, is_of_a_pod
from vppo_services.cluster.queueing import local_queues_of, queue_rows
from vppo_services.local import checkpoint_verbs
from vppo_services.local.manifest import manifest_of
from vppo_services.local.step_times import typical_seconds
from vppo_services.local.store_history import HistoryStore
from vppo_services.local.store_runs import RunStore
from vppo_services.local.store_webhooks import WebhookStore

PROBE: Final = "vppo-is-ready"
"""Name of no job: asking for it tells whether the API server answers."""


class KubeJobStore(RunStore, HistoryStore, WebhookStore):
    """Jobs of one namespace of a cluster, their history and what they left behind.

    Every method may be called from several threads, and several processes may serve one cluster.
    """

    def __init__(
        self,
        kube: KubeApi,
        db: Database,
        *,
        jobs_folder: Path,
        platform: PlatformSpec,
        clock: Callable[[], datetime],
        namespace: str,
    ) -> None:
        """Serve what a cluster, its archive and the mirrored run folders hold.

        Args:
            clock: the time, with its zone.
            namespace: whose jobs; `within` gives those of another one.
        """
        RunStore.__init__(self, jobs_folder)
        WebhookStore.__init__(self, db, clock, namespace=namespace)
        self._kube = kube
        self._platform = platform
        self._namespace = namespace
        self._live = LiveJobs(kube)
        self._pod_logs = PodLogs(kube)
        self._creator = Creator(kube, db)
        self._changer = Changer(kube, db)

    def within(self, namespace: str) -> Self:
        """The same store for the jobs of another namespace."""
        if namespace == self._namespace:
            return self
        other = copy.copy(self)
        other._namespace = other._told_of = namespace
        return other

    @property
    def platform(self) -> PlatformSpec:
        """Pools, queues and priorities."""
        return self._platform

    def check(self, job: VPPOJob) -> None:
        """Refuse what this cluster cannot run.

        Raises:
            InvalidSpecError: one line for each thing that is wrong.
        """
        check_cluster_job(self._placed(job, name=job.metadata.name or NAME), self._platform)

    def create(
        self,
        job: VPPOJob,
        *,
        owner: str,
        idempotency: IdempotencyKey | None = None,
        request_id: str = "",
    ) -> tuple[JobRecord, bool]:
        """Make a VPPOJob; the second value says whether it is that of an earlier request.

        Raises:
            NameTakenError, IdempotencyConflictError, NotAllowedNowError, InvalidSpecError,
            StoreUnavailableError.
        """
        request = Request(
            job=self._placed(job),
            owner=owner,
            key=idempotency,
            now=self._clock(),
            request_id=request_id,
        )
        made = self._creator.create(request)
        self._live.forget(self._namespace)
        return made

    def get(self, name: str, *, uid: str | None = None) -> JobRecord:
        """The job as its object is now; of one that is gone, as the archive has it.

        Raises:
            JobNotFoundError, StoreUnavailableError.
        """
        live = self._live.get(self._namespace, name)
        if live is not None and uid in (None, meta_of(live).get("uid")):
            return record_of(live)
        return jobs.get_job(self._db, name, uid=uid, namespace=self._namespace)

    def recorded(self, record: JobRecord) -> JobRecord:
        """The job as the archive has it; one that is too young for that, as it was given.

        Raises:
            StoreUnavailableError.
        """
        with suppress(JobNotFoundError):
            return jobs.get_job(self._db, "", uid=record.uid)
        return record

    def list_jobs(self, query: JobQuery) -> Page[JobRecord]:
        """Jobs, newest first.

        Raises:
            BadCursorError, CursorMismatchError, StoreUnavailableError.
        """
        return page_of(self._db, self._live, query, namespace=self._namespace)

    def patch(
        self, name: str, changes: JobChanges, *, actor: str, if_version: int | None = None
    ) -> JobRecord:
        """Change mutable fields; what is not allowed changes nothing.

        Raises:
            JobNotFoundError, StaleVersionError, NotAllowedNowError, InvalidSpecError,
            StoreUnavailableError.
        """
        check_priority(changes.priority or "", self._platform)
        record = self._changer.patch(
            self._namespace,
            name,
            changes,
            actor=actor,
            now=self._clock(),
            if_version=if_version,
        )
        self._live.forget(self._namespace)
        return record

    def delete(self, name: str, *, actor: str) -> JobRecord:
        """Delete the object: a live attempt saves and ends first. Asking twice changes nothing."""
        record = self._changer.delete(self._namespace, name, actor=actor, now=self._clock())
        self._live.forget(self._namespace)
        return record

    def promote_checkpoint(self, name: str, step: int, *, actor: str) -> CheckpointRecord:
        """Keep a checkpoint in an object store for good.

        Raises:
            JobNotFoundError: there is no such checkpoint, or it is gone by now.
            NotAllowedNowError: it lies on a volume that only the job's pods have.
        """
        record = self.get(name)
        checkpoint_places.check_reach(self.checkpoints(record.uid), step)
        return checkpoint_verbs.promote(self._db, record, step, actor=actor, now=self._clock())

    def delete_checkpoint(self, name: str, step: int, *, actor: str) -> CheckpointRecord:
        """Remove a checkpoint from an object store.

        Raises:
            NotAllowedNowError: it is the newest one of a job that is not finished, or it lies on a
                volume that only the job's pods have.
        """
        record = self.get(name)
        checkpoint_places.check_reach(self.checkpoints(record.uid), step)
        return checkpoint_verbs.delete(self._db, record, step, actor=actor, now=self._clock())

    def explain(self, name: str) -> Explanation:
        """Why the job waits, or what it is doing, as the operator wrote it."""
        return explanation_of(self.get(name), self._clock())

    def usage(self, *, start: datetime, end: datetime, group_by: str) -> Sequence[UsageRow]:
        """GPU-seconds of the namespace by `job`, `owner`, `queue` or `day`."""
        return usage.usage_between(self._db, start, end, group_by, namespace=self._namespace)

    def queues(self) -> Sequence[dict[str, Any]]:
        """`{name, pool, waiting, running}` for each queue, as the namespace sees it."""
        cluster = self._platform.cluster
        known = (
            local_queues_of(self._kube, self._namespace)
            if cluster is not None and cluster.kueue
            else {}
        )
        return queue_rows(self._platform, self._live.list(self._namespace), known)

    def logs(self, uid: str, *, after: str = "", limit: int = 100) -> Lines[LogLine]:
        """Log lines behind a position; before the driver's first one, those of its pod."""
        if not is_of_a_pod(after):
            found = super().logs(uid, after=after, limit=limit)
            if found.items or after:
                return found
        else:
            found = super().logs(uid, after="", limit=limit)
            if found.items:
                return Lines(
                    items=found.items, positions=found.positions, end=found.end, is_reset=True
                )
        job = self._whereabouts(uid)
        return found if job is None else self._pod_logs.read(*job, after=after, limit=limit)

    def manifest(self, uid: str) -> dict[str, Any]:
        """What it takes to repeat the run; `image` is what attempts are started from now."""
        cluster = self._platform.cluster
        facts = manifest_of(
            self._of_uid(uid),
            self._run(uid),
            attempts=self.attempts(uid),
            checkpoints=self.checkpoints(uid),
        )
        return {**facts, "image": cluster.image if cluster is not None else ""}

    def plan_process(self, job: VPPOJob) -> dict[str, Any]:
        """What an attempt would be: its pods by role, and the objects that make them."""
        return {"kind": "RayJob", **planned_attempt(self._placed(job), self._platform)}

    def typical_step_seconds(self, job: VPPOJob) -> float | None:
        """Median step time of finished jobs with the same model and rollout size, if any."""
        done = JobQuery(limit=100, phases=(JobPhase.SUCCEEDED,), namespace=self._namespace)
        return typical_seconds(job.spec, list_jobs(self._db, done).items)

    def ready(self) -> None:
        """Answer only if jobs can be accepted, which takes the API server alone.

        Raises:
            StoreUnavailableError.
        """
        with answered():
            self._kube.get(VPPO_JOBS, self._namespace, PROBE)

    def _placed(self, job: VPPOJob, *, name: str = "") -> VPPOJob:
        update = {"namespace": self._namespace, "name": name or job.metadata.name}
        return job.model_copy(update={"metadata": job.metadata.model_copy(update=update)})

    def _of_uid(self, uid: str) -> JobRecord:
        try:
            return jobs.get_job(self._db, "", uid=uid)
        except JobNotFoundError:
            live = self._live.find(self._namespace, uid)
            if live is None:
                raise
            return record_of(live)

    def _whereabouts(self, uid: str) -> tuple[str, str] | None:
        """Namespace and name of a job that may have pods; None of one that is over or unknown."""
        try:
            record = self._of_uid(uid)
        except JobNotFoundError:
            return None
        return None if record.phase.is_final else (record.namespace, record.name)
