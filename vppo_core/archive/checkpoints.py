"""Checkpoints of jobs."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, select, update

from vppo_core.archive.errors import JobNotFoundError
from vppo_core.archive.records import CheckpointRecord
from vppo_core.archive.tables import checkpoints
from vppo_core.archive.transactions import Database
from vppo_core.archive.upsert import upsert


def checkpoints_of(db: Database, uid: str, *, with_deleted: bool = False) -> list[CheckpointRecord]:
    """Checkpoints that exist, oldest first; on demand those too that existed."""
    query = _of_job(uid)
    if not with_deleted:
        query = query.where(checkpoints.c.deleted.is_(None))
    with db.reading() as connection:
        return [CheckpointRecord(**row) for row in connection.execute(query).mappings()]


def record_checkpoint(db: Database, uid: str, checkpoint: CheckpointRecord) -> CheckpointRecord:
    """The row after writing it. Reporting a checkpoint again does not bring it back to life.

    A later one of the same step, made after a resume, takes the place of the earlier one; whether
    the step is promoted stays.
    """
    with db.writing() as connection:
        before = _find(connection, uid, checkpoint.step)
        values: dict[str, Any] = {
            name: getattr(checkpoint, name)
            for name in CheckpointRecord.__slots__
            if name not in ("deleted", "is_promoted")
        }
        values["is_promoted"] = checkpoint.is_promoted
        values["deleted"] = checkpoint.deleted
        if before is not None:
            values["is_promoted"] |= before.is_promoted
            if before.created == checkpoint.created:
                values["deleted"] = before.deleted
        upsert(connection, checkpoints, [{"job_uid": uid, **values}])
        return CheckpointRecord(**values)


def set_promoted(db: Database, uid: str, step: int) -> CheckpointRecord:
    """The checkpoint, kept for good.

    Raises:
        JobNotFoundError: there is no such checkpoint, or it is deleted.
    """
    return _set(db, uid, step, {"is_promoted": True})


def set_checkpoint_deleted(db: Database, uid: str, step: int, now: datetime) -> CheckpointRecord:
    """The checkpoint, gone.

    Raises:
        JobNotFoundError: there is no such checkpoint, or it is deleted already.
    """
    return _set(db, uid, step, {"deleted": now})


def _set(db: Database, uid: str, step: int, values: dict[str, Any]) -> CheckpointRecord:
    with db.writing() as connection:
        changed = connection.execute(
            update(checkpoints)
            .where(
                checkpoints.c.job_uid == uid,
                checkpoints.c.step == step,
                checkpoints.c.deleted.is_(None),
            )
            .values(**values)
        )
        found = _find(connection, uid, step)
        if not changed.rowcount or found is None:
            raise JobNotFoundError(
                f"a checkpoint must exist, got step {step}; `GET /jobs/NAME/checkpoints` lists them"
            )
        return found


def _find(connection: Connection, uid: str, step: int) -> CheckpointRecord | None:
    query = _of_job(uid).where(checkpoints.c.step == step).with_for_update()
    row = connection.execute(query).mappings().first()
    return None if row is None else CheckpointRecord(**row)


def _of_job(uid: str) -> Select[Any]:
    columns = [column for column in checkpoints.c if column.name != "job_uid"]
    return select(*columns).where(checkpoints.c.job_uid == uid).order_by(checkpoints.c.step)
