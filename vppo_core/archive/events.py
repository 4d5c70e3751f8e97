"""What happened: the history of jobs, the audit log, the source of streams and webhooks.

On PostgreSQL a row with a lower `seq` may become visible after one with a higher `seq`. So every
row holds the id of the transaction that wrote it, and readers stop before the oldest transaction
that is still open. An id from the future belongs to another server, whose dump was restored here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import BigInteger, ColumnElement, Connection, Text, cast, func, insert, or_, select

from vppo_core.archive.job_rows import find_job
from vppo_core.archive.outbox import queue_messages
from vppo_core.archive.records import EventRecord, JobRecord
from vppo_core.archive.tables import events
from vppo_core.archive.transactions import Database

AUDIT: Final = "Audit"
"""Kind of an event that a caller caused."""

_INSERT: Final = insert(events)
_RECORD_COLUMNS: Final = tuple(column for column in events.c if column.name != "transaction_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """An event before it has its number."""

    actor: str
    kind: str
    reason: str
    message: str
    payload: Mapping[str, Any]


def accepted(record: JobRecord) -> NewEvent:
    """The first event of every job."""
    return NewEvent(
        actor=record.owner,
        kind=AUDIT,
        reason="Created",
        message="The job was accepted.",
        payload={"phase": record.phase},
    )


def add_event(
    db: Database,
    *,
    uid: str,
    actor: str,
    kind: str,
    reason: str,
    message: str,
    payload: Mapping[str, Any],
    now: datetime,
) -> EventRecord:
    """Write an event of a job and the messages to the webhooks that want it.

    Raises:
        JobNotFoundError.
    """
    event = NewEvent(actor=actor, kind=kind, reason=reason, message=message, payload=payload)
    with db.writing() as connection:
        return append(connection, find_job(connection, "", uid=uid), [event], now)[0]


def append(
    connection: Connection, job: JobRecord, new: Sequence[NewEvent], now: datetime
) -> list[EventRecord]:
    """The same within the transaction of what caused them."""
    if not new:
        return []
    transaction_id = _transaction_id(connection)
    written = []
    for event in new:
        values: dict[str, Any] = {
            "job_uid": job.uid,
            "job_name": job.name,
            "time": now,
            "actor": event.actor,
            "kind": event.kind,
            "reason": event.reason,
            "message": event.message,
            "payload": dict(event.payload),
        }
        added = connection.execute(_INSERT, {**values, "transaction_id": transaction_id})
        key = added.inserted_primary_key
        assert key is not None
        written.append(EventRecord(seq=key.seq, **values))
    queue_messages(connection, job, written, now)
    return written


def events_after(db: Database, uid: str | None, *, after: int, limit: int) -> list[EventRecord]:
    """Events with a higher `seq`, oldest first; of one job, or with None of all jobs.

    Who asks again after the last `seq` that came misses none: an event is given out only when no
    event with a lower `seq` can appear any more.
    """
    with db.reading() as connection:
        query = select(*_RECORD_COLUMNS).where(events.c.seq > after)
        if uid is not None:
            query = query.where(events.c.job_uid == uid)
        if connection.dialect.name == "postgresql":
            query = query.where(_is_settled())
        rows = connection.execute(query.order_by(events.c.seq).limit(limit)).mappings()
        return [EventRecord(**row) for row in rows]


def _transaction_id(connection: Connection) -> int | None:
    """Asked for before the first event gets its number: what is open then is seen as open."""
    if connection.dialect.name != "postgresql":
        return None
    return connection.execute(select(_number(func.pg_current_xact_id()))).scalar_one()


def _is_settled() -> ColumnElement[bool]:
    snapshot = func.pg_current_snapshot()
    return or_(
        events.c.transaction_id < _number(func.pg_snapshot_xmin(snapshot)),
        events.c.transaction_id >= _number(func.pg_snapshot_xmax(snapshot)),
    )


def _number(transaction_id: ColumnElement[Any]) -> ColumnElement[int]:
    return cast(cast(transaction_id, Text), BigInteger)
