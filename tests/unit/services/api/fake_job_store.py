"""A store of jobs in memory."""

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from vppo_core.archive.errors import (
    BadCursorError,
    IdempotencyConflictError,
    JobNotFoundError,
    NameTakenError,
    NotAllowedNowError,
    StaleVersionError,
)
from vppo_core.archive.records import (
    Backlog,
    IdempotencyKey,
    JobChanges,
    JobQuery,
    JobRecord,
    Page,
)
from vppo_core.errors import InvalidSpecError
from vppo_core.lifecycle.explain import Cause, Explanation
from vppo_core.spec.hashing import canonical_json, spec_hash
from vppo_core.spec.job import VPPOJob
from vppo_core.spec.origin import made_by
from vppo_core.spec.platform import PlatformSpec, PoolOffer, QueueOffer
from vppo_core.spec.status import JobPhase, QueueStatus, VPPOJobStatus
from vppo_services.local.endpoints import RunPage

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
PLATFORM = PlatformSpec(
    pools=(PoolOffer(name="big", gpus=8, gpu_type="H100", price_per_gpu_hour=2.0),),
    queues=(QueueOffer(name="default", pool="big"), QueueOffer(name="night", pool="big")),
)
MINIMAL: dict[str, Any] = {
    "apiVersion": "vppo.io/v1alpha1",
    "kind": "VPPOJob",
    "metadata": {"name": "cubes"},
    "spec": {"model": {"source": "demo://qwen2.5-vl"}, "data": {"source": "demo://colours"}},
}


class FakeJobStore:
    """Jobs in a list, newest last. `error` is raised by every call; nothing runs."""

    def __init__(self) -> None:
        self.platform = PLATFORM
        self.records: list[JobRecord] = []
        self.keys: dict[IdempotencyKey, tuple[str, str]] = {}
        self.queries: list[JobQuery] = []
        self.step_seconds: float | None = None
        self.busy = 0
        self.pages: Sequence[RunPage] = ()
        self.backlog = Backlog(count=0, oldest_seconds=0.0)
        self.error: Exception | None = None
        self._numbers = itertools.count(1)

    def within(self, namespace: str) -> "FakeJobStore":
        assert namespace == "default"
        return self

    def recorded(self, record: JobRecord) -> JobRecord:
        return self.get(record.name, uid=record.uid)

    def check(self, job: VPPOJob) -> None:
        self._fail()
        queue = job.spec.scheduling.queue
        if queue not in ("", *(offer.name for offer in self.platform.queues)):
            raise InvalidSpecError(
                f"scheduling.queue must be one of 'default', 'night', got {queue!r}; "
                "choose one of these, or leave it out"
            )

    def create(
        self,
        job: VPPOJob,
        *,
        owner: str,
        idempotency: IdempotencyKey | None = None,
        request_id: str = "",
    ) -> tuple[JobRecord, bool]:
        self._fail()
        number = next(self._numbers)
        name = job.metadata.name or f"job-{number}"
        body = canonical_json(job.spec) + job.metadata.model_dump_json()
        if idempotency in self.keys:
            uid, first = self.keys[idempotency]
            if first != body:
                raise IdempotencyConflictError("the key was used with another job; take another")
            return next(one for one in self.records if one.uid == uid), True
        if any(one.name == name and not one.phase.is_final for one in self.records):
            raise NameTakenError(f"a job named '{name}' exists; choose another name")
        job = made_by(job, request_id)
        record = self._new(job, f"{number:08x}-0000", name, owner, NOON + timedelta(seconds=number))
        self.records.append(record)
        if idempotency is not None:
            self.keys[idempotency] = (record.uid, body)
        return record, False

    def _new(self, job: VPPOJob, uid: str, name: str, owner: str, created: datetime) -> JobRecord:
        status = VPPOJobStatus(queue=QueueStatus(name="default", pool="big"))
        return JobRecord(
            uid=uid,
            name=name,
            namespace="default",
            owner=owner,
            labels=job.metadata.labels,
            annotations=job.metadata.annotations,
            spec_json=job.spec.model_dump_json(by_alias=True),
            status_json=status.model_dump_json(by_alias=True),
            spec_hash=spec_hash(job.spec),
            phase=JobPhase.PENDING,
            generation=1,
            version=1,
            created=created,
        )

    def get(self, name: str, *, uid: str | None = None) -> JobRecord:
        self._fail()
        for record in reversed(self.records):
            if record.name == name and uid in (None, record.uid):
                return record
        raise JobNotFoundError(f"there is no job named '{name}'; list the jobs")

    def list_jobs(self, query: JobQuery) -> Page[JobRecord]:
        self._fail()
        self.queries.append(query)
        start = 0
        if query.cursor is not None:
            if not query.cursor.startswith("at-") or not query.cursor[3:].isdecimal():
                raise BadCursorError("cursor must be one that a reply gave; start without one")
            start = int(query.cursor[3:])
        found = [one for one in reversed(self.records) if _matches(one, query)]
        end = start + query.limit
        return Page(
            items=tuple(found[start:end]), next_cursor=f"at-{end}" if len(found) > end else None
        )

    def patch(
        self, name: str, changes: JobChanges, *, actor: str, if_version: int | None = None
    ) -> JobRecord:
        del actor
        record = self.get(name)
        if if_version is not None and record.version != if_version:
            raise StaleVersionError(f"the job has version {record.version}; read it again")
        scalars = {
            "desiredState": changes.desired_state,
            "priority": changes.priority,
            "activeDeadlineSeconds": changes.active_deadline_seconds,
            "pendingDeadlineSeconds": changes.pending_deadline_seconds,
            "ttlSecondsAfterFinished": changes.ttl_seconds_after_finished,
        }
        old = json.loads(record.spec_json)
        spec = old | {name: value for name, value in scalars.items() if value is not None}
        if old["desiredState"] == "Cancelled" != spec["desiredState"]:
            raise NotAllowedNowError("desiredState must stay Cancelled; clone the job")
        labels = _changed(record.labels, changes.labels)
        annotations = _changed(record.annotations, changes.annotations)
        if (spec, labels, annotations) == (old, record.labels, record.annotations):
            return record
        return self._put(
            replace(
                record,
                spec_json=json.dumps(spec),
                labels=labels,
                annotations=annotations,
                version=record.version + 1,
            )
        )

    def delete(self, name: str, *, actor: str) -> JobRecord:
        del actor
        record = self.get(name)
        if record.deletion_requested is not None:
            return record
        return self._put(replace(record, deletion_requested=NOON, version=record.version + 1))

    def finish(self, name: str) -> None:
        self._put(replace(self.get(name), phase=JobPhase.SUCCEEDED, finished=NOON))

    def _put(self, record: JobRecord) -> JobRecord:
        self.records = [record if one.uid == record.uid else one for one in self.records]
        return record

    def explain(self, name: str) -> Explanation:
        self.get(name)
        cause = Cause(reason="WaitingForQuota", message="one job runs in the pool")
        return Explanation(sentence="Waiting for the pool big.", causes=(cause,), hint="wait")

    def queues(self) -> Sequence[dict[str, Any]]:
        self._fail()
        return [
            {"name": one.name, "pool": one.pool, "waiting": self.busy, "running": self.busy}
            for one in self.platform.queues
        ]

    def manifest(self, uid: str) -> dict[str, Any]:
        return {"seed": 0, "uid": uid}

    def plan_process(self, job: VPPOJob) -> dict[str, Any]:
        return {"kind": "Process", "command": ["python"], "seed": job.spec.seed}

    def typical_step_seconds(self, job: VPPOJob) -> float | None:
        del job
        return self.step_seconds

    def delivery_backlog(self) -> Backlog:
        self._fail()
        return self.backlog

    def run_pages(self) -> Sequence[RunPage]:
        self._fail()
        return self.pages

    def ready(self) -> None:
        self._fail()

    def _fail(self) -> None:
        if self.error is not None:
            raise self.error

    # What the routes of the other room ask; here there is nothing.

    def events(self, uid: str, *, after: int = 0, limit: int = 100) -> Sequence[Any]:
        del uid, after, limit
        return ()

    def attempts(self, uid: str) -> Sequence[Any]:
        del uid
        return ()

    checkpoints = artifacts = spotlight_steps = attempts

    def webhooks(self, *, owner: str | None = None) -> Sequence[Any]:
        del owner
        return ()

    def artifact_path(self, uid: str, path: str) -> Path:
        raise JobNotFoundError(f"there is no file {path!r} of {uid}; list the artifacts")


def _matches(record: JobRecord, query: JobQuery) -> bool:
    return (
        (not query.phases or record.phase in query.phases)
        and query.owner in (None, record.owner)
        and all(record.labels.get(name) == value for name, value in query.labels)
        and (query.name_contains or "") in record.name
    )


def _changed(before: Mapping[str, str], changes: Mapping[str, str | None] | None) -> dict[str, str]:
    both = {**before, **(changes or {})}
    return {name: value for name, value in both.items() if value is not None}
