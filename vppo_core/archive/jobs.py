"""Jobs: accepted, found, changed, observed, let go."""

from datetime import datetime
from functools import lru_cache

from sqlalchemy import Connection
from sqlalchemy.sql.dml import ReturningInsert

from vppo_core.archive.errors import NameTakenError
from vppo_core.archive.events import accepted, append
from vppo_core.archive.idempotency import claim_key
from vppo_core.archive.job_changes import patch_job, request_deletion
from vppo_core.archive.job_rows import find_job, tags_of_job
from vppo_core.archive.plans import mark_expired, mark_released, write_plan
from vppo_core.archive.records import IdempotencyKey, JobRecord
from vppo_core.archive.tables import jobs
from vppo_core.archive.tags import write_tags
from vppo_core.archive.transactions import Database
from vppo_core.archive.upsert import insert_into
from vppo_core.spec.job import VPPOJob
from vppo_core.spec.status import VPPOJobStatus

__all__ = [
    "create_job",
    "get_job",
    "mark_expired",
    "mark_released",
    "patch_job",
    "request_deletion",
    "write_plan",
]


def create_job(
    db: Database,
    job: VPPOJob,
    *,
    uid: str,
    owner: str,
    spec_hash: str,
    now: datetime,
    idempotency: IdempotencyKey | None = None,
    body_hash: str = "",
) -> tuple[JobRecord, bool]:
    """Accept a job; the second value says whether it is that of an earlier request.

    Args:
        job: with its name set.
        idempotency: a request with the same key within 24 hours gives the same job.
        body_hash: of the request; the same key must come with the same one.

    Raises:
        NameTakenError: a job that is neither finished nor released has that name.
        IdempotencyConflictError: the key came with another body.
        StoreUnavailableError.
    """
    record = _new_record(job, uid=uid, owner=owner, spec_hash=spec_hash, now=now)
    with db.writing() as connection:
        if idempotency is not None:
            earlier = claim_key(connection, idempotency, body_hash=body_hash, uid=uid, now=now)
            if earlier is not None:
                return find_job(connection, "", uid=earlier), True
        _write(connection, record, job.spec.scheduling.queue)
        append(connection, record, [accepted(record)], now)
    return record, False


def get_job(
    db: Database, name: str, *, uid: str | None = None, namespace: str | None = None
) -> JobRecord:
    """The newest job of a name, or the one with a uid; an empty name asks for the uid alone.

    Args:
        namespace: where it must be; None looks everywhere.

    Raises:
        JobNotFoundError.
    """
    with db.reading() as connection:
        return find_job(connection, name, uid=uid, namespace=namespace)


def _new_record(job: VPPOJob, *, uid: str, owner: str, spec_hash: str, now: datetime) -> JobRecord:
    status = VPPOJobStatus(spec_hash=spec_hash)
    return JobRecord(
        uid=uid,
        name=job.metadata.name,
        namespace=job.metadata.namespace,
        owner=owner,
        labels=dict(job.metadata.labels),
        annotations=dict(job.metadata.annotations),
        spec_json=job.spec.model_dump_json(by_alias=True),
        status_json=status.model_dump_json(by_alias=True),
        spec_hash=spec_hash,
        phase=status.phase,
        generation=1,
        version=1,
        created=now,
    )


def _write(connection: Connection, record: JobRecord, queue: str) -> None:
    names = [column.name for column in jobs.c if column.name not in ("queue", "expires")]
    values = {name: getattr(record, name) for name in names}
    # The database decides who was first, also between processes.
    insert = _insert_unless_taken(connection.dialect.name)
    if connection.execute(insert, {**values, "queue": queue}).first() is None:
        raise NameTakenError(
            f"metadata.name must not be that of a living job, got '{record.name}'; "
            "choose another name, or delete that job first"
        )
    tags = tags_of_job(record, queue)
    write_tags(connection, record.uid, record.created, before=frozenset(), after=tags)


@lru_cache
def _insert_unless_taken(dialect: str) -> ReturningInsert[tuple[str]]:
    return insert_into(dialect, jobs).on_conflict_do_nothing().returning(jobs.c.uid)
