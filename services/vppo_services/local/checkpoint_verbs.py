"""What a person may do with a checkpoint: keep it for good, or remove it."""

from contextlib import suppress
from datetime import datetime

from vppo_core.archive.checkpoints import (
    checkpoints_of,
    set_checkpoint_deleted,
    set_promoted,
)
from vppo_core.archive.database import Database
from vppo_core.archive.errors import JobNotFoundError, NotAllowedNowError
from vppo_core.archive.events import add_event
from vppo_core.archive.records import CheckpointRecord, JobRecord
from vppo_services.local import checkpoints


def promote(
    db: Database, job: JobRecord, step: int, *, actor: str, now: datetime
) -> CheckpointRecord:
    """Keep a checkpoint for good. Doing so twice changes nothing.

    Raises:
        JobNotFoundError: there is no such checkpoint, or it is gone by now.
        StoreUnavailableError: the storage refuses.
    """
    found = _find(db, job, step)
    if found.is_promoted:
        return found
    if not checkpoints.keep(found.uri):
        _note_deleted(db, job, step, now)
        raise JobNotFoundError(
            f"the checkpoint of step {step} was removed meanwhile, as checkpoint.keepLast "
            f"({job.spec.checkpoint.keep_last}) says; choose a newer one"
        )
    set_promoted(db, job.uid, step)
    _note(db, job, found, "CheckpointPromoted", "is kept for good", actor=actor, now=now)
    return _find(db, job, step)


def delete(
    db: Database, job: JobRecord, step: int, *, actor: str, now: datetime
) -> CheckpointRecord:
    """Remove a checkpoint.

    Raises:
        JobNotFoundError: there is no such checkpoint.
        NotAllowedNowError: it is the newest one of a job that is not finished.
        StoreUnavailableError: the storage refuses; it counts as existing until it is gone.
    """
    found = _find(db, job, step)
    newest = max(one.step for one in checkpoints_of(db, job.uid))
    if step == newest and not job.phase.is_final:
        raise NotAllowedNowError(
            f"the newest checkpoint must stay while the job may go on from it, got step {step}; "
            "cancel the job first, or delete an older one"
        )
    checkpoints.remove(found.uri)
    _note_deleted(db, job, step, now)
    _note(db, job, found, "CheckpointDeleted", "was removed", actor=actor, now=now)
    return found


def _find(db: Database, job: JobRecord, step: int) -> CheckpointRecord:
    existing = checkpoints_of(db, job.uid)
    for one in existing:
        if one.step == step:
            return one
    steps = ", ".join(str(one.step) for one in existing) or "none so far"
    raise JobNotFoundError(
        f"job '{job.name}' has no checkpoint of step {step}; choose one of these: {steps}"
    )


def _note_deleted(db: Database, job: JobRecord, step: int, now: datetime) -> None:
    with suppress(JobNotFoundError):  # the loop saw it at the same time
        set_checkpoint_deleted(db, job.uid, step, now)


def _note(
    db: Database,
    job: JobRecord,
    checkpoint: CheckpointRecord,
    reason: str,
    what: str,
    *,
    actor: str,
    now: datetime,
) -> None:
    add_event(
        db,
        uid=job.uid,
        actor=actor,
        kind="Audit",
        reason=reason,
        message=f"The checkpoint of step {checkpoint.step} {what}.",
        payload={"step": checkpoint.step, "uri": checkpoint.uri},
        now=now,
    )
