"""Job objects of a cluster as rows: the object is the truth, the row is what remains of it."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select, update

from vppo_core.archive.errors import JobNotFoundError
from vppo_core.archive.events import accepted, append
from vppo_core.archive.job_rows import (
    RECORD_COLUMNS,
    HeldJob,
    find_job,
    hold_job,
    record_of,
    save_job,
    tags_of_job,
)
from vppo_core.archive.records import JobRecord
from vppo_core.archive.tables import IS_LIVE, jobs
from vppo_core.archive.tags import write_tags
from vppo_core.archive.transactions import Database
from vppo_core.archive.upsert import insert_into
from vppo_core.spec.hashing import spec_hash


def mirror_job(db: Database, record: JobRecord, now: datetime) -> JobRecord:
    """The row of a job object, made or brought up to what is asked of it now.

    Status, attempts and events are written by `write_plan`. Another job that held the name is let
    go: two objects of one name never live at a time.

    Raises:
        StoreUnavailableError.
    """
    with db.writing() as connection:
        try:
            held = hold_job(connection, "", uid=record.uid)
        except JobNotFoundError:
            return _made(connection, record, now)
        changes = _changes(held, record)
        return save_job(connection, held, changes) if changes else held.record


def unreleased_jobs(db: Database, namespace: str, name: str) -> list[JobRecord]:
    """Jobs of a name that were never let go: at most one of them has an object.

    Raises:
        StoreUnavailableError.
    """
    query = select(*RECORD_COLUMNS).where(
        jobs.c.name == name, jobs.c.namespace == namespace, jobs.c.released.is_(None)
    )
    with db.reading() as connection:
        rows = connection.execute(query.order_by(jobs.c.created)).mappings()
        return [record_of(row) for row in rows]


def _made(connection: Connection, record: JobRecord, now: datetime) -> JobRecord:
    connection.execute(
        update(jobs)
        .where(jobs.c.namespace == record.namespace, jobs.c.name == record.name, IS_LIVE)
        .values(released=now, version=jobs.c.version + 1)
    )
    queue = record.status.queue.name or record.spec.scheduling.queue
    values: dict[str, Any] = {
        name: getattr(record, name)
        for name in (column.name for column in jobs.c)
        if name not in ("queue", "expires")
    }
    values |= {
        "version": 1,
        "queue": queue,
        "expires": _expiry(record, record.finished),
        "spec_hash": record.spec_hash or spec_hash(record.spec),
    }
    connection.execute(insert_into(connection.dialect.name, jobs).values(values))
    tags = tags_of_job(record, queue)
    write_tags(connection, record.uid, record.created, before=frozenset(), after=tags)
    made = find_job(connection, "", uid=record.uid)
    append(connection, made, [accepted(record)], now)
    return made


def _changes(held: HeldJob, record: JobRecord) -> dict[str, Any]:
    before = held.record
    changes: dict[str, Any] = {
        name: getattr(record, name)
        for name in ("labels", "annotations", "deletion_requested")
        if getattr(record, name) != getattr(before, name)
    }
    if record.generation != before.generation or record.spec_json != before.spec_json:
        changes |= {
            "generation": record.generation,
            "spec_json": record.spec_json,
            "spec_hash": spec_hash(record.spec),
        }
        if before.finished is not None:
            changes["expires"] = _expiry(record, before.finished)
    return changes


def _expiry(record: JobRecord, finished: datetime | None) -> datetime | None:
    if finished is None:
        return None
    return finished + timedelta(seconds=record.spec.ttl_seconds_after_finished)
