"""Changes that a person asks for, written down; `change_rules.py` says which are allowed."""

from datetime import datetime, timedelta
from typing import Any

from vppo_core.archive.change_rules import change_of, check_version, deletion_asked
from vppo_core.archive.events import append
from vppo_core.archive.job_rows import HeldJob, hold_job, save_job
from vppo_core.archive.records import JobChanges, JobRecord
from vppo_core.archive.transactions import Database
from vppo_core.spec.hashing import spec_hash
from vppo_core.spec.job import VPPOJob


def patch_job(
    db: Database,
    name: str,
    changes: JobChanges,
    *,
    actor: str,
    now: datetime,
    if_version: int | None = None,
) -> JobRecord:
    """The newest job of a name with these changes; a field that has its value already is none.

    Raises:
        JobNotFoundError.
        StaleVersionError: the row is not of `if_version` any more.
        NotAllowedNowError: the job is finished or cancelled, or a deadline would come earlier.
        InvalidSpecError: a value that no job may have.
    """
    with db.writing() as connection:
        held = hold_job(connection, name)
        before = held.record
        check_version(before, if_version)
        change = change_of(before, changes, actor=actor)
        if change is None:
            return before
        columns = _columns(held, change.job, is_spec_changed=bool(change.scalars))
        after = save_job(connection, held, columns)
        append(connection, after, change.events, now)
        return after


def request_deletion(db: Database, name: str, *, actor: str, now: datetime) -> JobRecord:
    """The newest job of a name, to be deleted from now on. Asking twice changes nothing.

    Raises:
        JobNotFoundError.
    """
    with db.writing() as connection:
        held = hold_job(connection, name)
        if held.record.deletion_requested is not None:
            return held.record
        after = save_job(connection, held, {"deletion_requested": now})
        asked = deletion_asked(after, actor=actor)
        append(connection, after, [asked], now)
        return after


def _columns(held: HeldJob, job: VPPOJob, *, is_spec_changed: bool) -> dict[str, Any]:
    columns: dict[str, Any] = {
        "labels": job.metadata.labels,
        "annotations": job.metadata.annotations,
    }
    if is_spec_changed:
        columns |= {
            "spec_json": job.spec.model_dump_json(by_alias=True),
            "spec_hash": spec_hash(job.spec),
            "generation": held.record.generation + 1,
        }
        if held.record.finished is not None:
            ttl = timedelta(seconds=job.spec.ttl_seconds_after_finished)
            columns["expires"] = held.record.finished + ttl
    return columns
