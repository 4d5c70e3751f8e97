"""Rows of jobs: read, held for a change, written."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, Select, select, update

from vppo_core.archive.errors import JobNotFoundError
from vppo_core.archive.records import JobRecord
from vppo_core.archive.tables import jobs
from vppo_core.archive.tags import tags_of, write_tags
from vppo_core.spec.status import JobPhase

_OURS: Final = ("queue", "expires")
RECORD_COLUMNS: Final = tuple(column for column in jobs.c if column.name not in _OURS)
"""What a `JobRecord` is made of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldJob:
    """A job whose row no other transaction can change before this one ends."""

    record: JobRecord
    queue: str
    expires: datetime | None


def record_of(row: RowMapping) -> JobRecord:
    """The row without what only the archive needs."""
    values = {name: value for name, value in row.items() if name not in _OURS}
    return JobRecord(**{**values, "phase": JobPhase(row["phase"])})


def find_job(
    connection: Connection, name: str, *, uid: str | None = None, namespace: str | None = None
) -> JobRecord:
    """The newest job of a name, or the one with that uid; of one namespace, or of all.

    Raises:
        JobNotFoundError.
    """
    query = _query(name, uid)
    if namespace is not None:
        query = query.where(jobs.c.namespace == namespace)
    row = connection.execute(query).mappings().first()
    if row is None:
        raise _unknown(name, uid)
    return record_of(row)


def hold_job(connection: Connection, name: str, *, uid: str | None = None) -> HeldJob:
    """The same, until the end of the transaction in the caller's hands alone.

    Raises:
        JobNotFoundError.
    """
    row = connection.execute(_query(name, uid).with_for_update()).mappings().first()
    if row is None:
        raise _unknown(name, uid)
    return HeldJob(record=record_of(row), queue=row["queue"], expires=row["expires"])


def save_job(connection: Connection, held: HeldJob, changes: Mapping[str, Any]) -> JobRecord:
    """Write changed columns and raise the version; lists find the job by its new values."""
    before, version = held.record, held.record.version + 1
    connection.execute(
        update(jobs).where(jobs.c.uid == before.uid).values(version=version, **changes)
    )
    after = find_job(connection, "", uid=before.uid)
    write_tags(
        connection,
        before.uid,
        before.created,
        before=tags_of_job(before, held.queue),
        after=tags_of_job(after, changes.get("queue", held.queue)),
    )
    return after


def _query(name: str, uid: str | None) -> Select[Any]:
    if uid is None:
        newest = (jobs.c.created.desc(), jobs.c.uid.desc())
        return select(jobs).where(jobs.c.name == name).order_by(*newest).limit(1)
    by_uid = select(jobs).where(jobs.c.uid == uid)
    return by_uid.where(jobs.c.name == name) if name else by_uid


def _unknown(name: str, uid: str | None) -> JobNotFoundError:
    what = " ".join((*([f"'{name}'"] if name else []), *([f"with uid '{uid}'"] if uid else [])))
    return JobNotFoundError(f"a job must exist, got {what or 'no name'}; `vppo get` lists them")


def tags_of_job(record: JobRecord, queue: str) -> frozenset[str]:
    """What lists find the job by."""
    return tags_of(
        namespace=record.namespace,
        owner=record.owner,
        queue=queue,
        phase=record.phase,
        labels=record.labels,
        annotations=record.annotations,
    )
