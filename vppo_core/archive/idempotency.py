"""Keys that make a repeated request the same request."""

import hashlib
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

from sqlalchemy import Connection, bindparam, delete, select, tuple_
from sqlalchemy.sql.dml import ReturningInsert

from vppo_core.archive.errors import IdempotencyConflictError
from vppo_core.archive.records import IdempotencyKey
from vppo_core.archive.tables import idempotency
from vppo_core.archive.transactions import Database
from vppo_core.archive.upsert import insert_into

LIFETIME: Final = timedelta(hours=24)
_SWEPT_AT_ONCE: Final = 64


def recall_key(db: Database, key: IdempotencyKey, *, body_hash: str, now: datetime) -> str | None:
    """The uid that an earlier request with this key got; None when there was none in 24 hours.

    Raises:
        IdempotencyConflictError: the earlier request was another one.
    """
    columns = idempotency.c
    query = select(columns.body_hash, columns.job_uid).where(
        columns.tenant == key.tenant,
        columns.key_hash == hash_of(key),
        columns.expires > now,
    )
    with db.reading() as connection:
        earlier = connection.execute(query).first()
    if earlier is None:
        return None
    _check_body(earlier.body_hash, body_hash)
    return str(earlier.job_uid)


def remember_key(
    db: Database, key: IdempotencyKey, *, body_hash: str, uid: str, now: datetime
) -> str | None:
    """`claim_key` in a transaction of its own, for a job that is kept elsewhere."""
    with db.writing() as connection:
        return claim_key(connection, key, body_hash=body_hash, uid=uid, now=now)


def hash_of(key: IdempotencyKey) -> str:
    """SHA-256 of the key; the tenant stands beside it."""
    return hashlib.sha256(key.key.encode("utf-8", "replace")).hexdigest()


def claim_key(
    connection: Connection, key: IdempotencyKey, *, body_hash: str, uid: str, now: datetime
) -> str | None:
    """None if the key is this request's from now on, or the uid that an earlier request got.

    Of two transactions with one key the second waits here until the first has ended.

    Raises:
        IdempotencyConflictError: the earlier request was another one.
    """
    columns = idempotency.c
    key_hash = hash_of(key)
    values = {
        "tenant": key.tenant,
        "key_hash": key_hash,
        "body_hash": body_hash,
        "job_uid": uid,
        "expires": now + LIFETIME,
        "moment": now,
    }
    if connection.execute(_claim(connection.dialect.name), values).first() is not None:
        if key_hash[0] == "0":  # every sixteenth sweeps, and more than sixteen at once
            _sweep(connection, now)
        return None
    earlier = connection.execute(
        select(columns.body_hash, columns.job_uid).where(
            columns.tenant == key.tenant, columns.key_hash == key_hash
        )
    ).one()
    _check_body(earlier.body_hash, body_hash)
    return str(earlier.job_uid)


def conflict() -> IdempotencyConflictError:
    """The error of a key that came with two jobs."""
    return IdempotencyConflictError(
        "Idempotency-Key must come with the same job as before, got another one; "
        "use a new key for a new job"
    )


def _check_body(earlier: str, body_hash: str) -> None:
    if earlier != body_hash:
        raise conflict()


@lru_cache
def _claim(dialect: str) -> ReturningInsert[tuple[str]]:
    insert = insert_into(dialect, idempotency)
    claim = insert.on_conflict_do_update(
        index_elements=list(idempotency.primary_key),
        set_={name: insert.excluded[name] for name in ("body_hash", "job_uid", "expires")},
        where=idempotency.c.expires <= bindparam("moment", type_=idempotency.c.expires.type),
    )
    return claim.returning(idempotency.c.job_uid)


def _sweep(connection: Connection, now: datetime) -> None:
    """Remove some keys that are over."""
    name = (idempotency.c.tenant, idempotency.c.key_hash)
    over = connection.execute(
        select(*name)
        .where(idempotency.c.expires <= now)
        .order_by(idempotency.c.expires)
        .limit(_SWEPT_AT_ONCE)
        .with_for_update(skip_locked=True)
    ).all()
    if over:
        connection.execute(delete(idempotency).where(tuple_(*name).in_([tuple(k) for k in over])))
