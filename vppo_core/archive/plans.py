"""What the loop writes down of a job: in one transaction, and only what is new."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import update

from vppo_core.archive.attempts import write_attempts
from vppo_core.archive.errors import JobNotFoundError
from vppo_core.archive.events import NewEvent, append
from vppo_core.archive.job_rows import HeldJob, hold_job, save_job
from vppo_core.archive.records import JobRecord
from vppo_core.archive.tables import jobs
from vppo_core.archive.transactions import Database
from vppo_core.archive.usage import write_usage
from vppo_core.lifecycle.actions import JobEvent
from vppo_core.lifecycle.ledger import UsageBucket
from vppo_core.spec.status import AttemptStatus, VPPOJobStatus

LOOP = "vppo"
"""Actor of what the program did by itself."""


def write_plan(
    db: Database,
    uid: str,
    *,
    status: VPPOJobStatus,
    attempts: Sequence[AttemptStatus],
    events: Sequence[JobEvent],
    usage: Mapping[int, Sequence[UsageBucket]],
    now: datetime,
) -> JobRecord | None:
    """The job with this status; its spec is never touched. None when there is no such job.

    Args:
        attempts: all that changed, or all.
        usage: hours of an attempt, by its index; those that are left out stay as they are.
    """
    with db.writing() as connection:
        try:
            held = hold_job(connection, "", uid=uid)
        except JobNotFoundError:
            return None
        changes = _changes(held, status, now)
        after = save_job(connection, held, changes) if changes else held.record
        write_attempts(connection, uid, attempts)
        write_usage(connection, uid, usage)
        payload = {
            "phase": status.phase,
            "attempt": status.attempt,
            "step": status.progress.step,
        }
        new = [
            NewEvent(
                actor=LOOP,
                kind=event.kind,
                reason=event.reason,
                message=event.message,
                payload=payload,
            )
            for event in events
        ]
        append(connection, after, new, now)
        return after


def mark_released(db: Database, uid: str, now: datetime) -> None:
    """The deleted job is let go, its name is free. Doing so twice changes nothing."""
    _mark(db, uid, "released", now)


def mark_expired(db: Database, uid: str, now: datetime) -> None:
    """The job's files are gone. Saying so twice changes nothing."""
    _mark(db, uid, "expired", now)


def _changes(held: HeldJob, status: VPPOJobStatus, now: datetime) -> dict[str, Any]:
    record = held.record
    changes: dict[str, Any] = {}
    status_json = status.model_dump_json(by_alias=True)
    if status_json != record.status_json:
        changes = {"status_json": status_json, "phase": status.phase}
    if status.queue.name and status.queue.name != held.queue:
        changes["queue"] = status.queue.name
    if status.phase.is_final and record.finished is None:
        ttl = timedelta(seconds=record.spec.ttl_seconds_after_finished)
        changes |= {"finished": now, "expires": now + ttl}
    return changes


def _mark(db: Database, uid: str, column: str, now: datetime) -> None:
    with db.writing() as connection:
        connection.execute(
            update(jobs)
            .where(jobs.c.uid == uid, jobs.c[column].is_(None))
            .values(**{column: now, "version": jobs.c.version + 1})
        )
