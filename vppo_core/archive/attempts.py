"""Every attempt of a job; its status shows only the last ones."""

from collections.abc import Sequence

from sqlalchemy import Connection, select

from vppo_core.archive.tables import attempts
from vppo_core.archive.transactions import Database
from vppo_core.archive.upsert import upsert
from vppo_core.spec.status import AttemptStatus


def attempts_of(db: Database, uid: str) -> list[AttemptStatus]:
    """Oldest first; empty for a job that has none, or does not exist."""
    mine = select(attempts.c.status_json).where(attempts.c.job_uid == uid)
    with db.reading() as connection:
        texts = connection.execute(mine.order_by(attempts.c.number)).scalars().all()
    return [AttemptStatus.model_validate_json(text) for text in texts]


def write_attempts(connection: Connection, uid: str, changed: Sequence[AttemptStatus]) -> None:
    """Insert or update these; others stay."""
    rows = [
        {"job_uid": uid, "number": one.index, "status_json": one.model_dump_json(by_alias=True)}
        for one in changed
    ]
    upsert(connection, attempts, rows)
