"""The tables of the archive. `migrations/` makes them; a test holds both together."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    and_,
)

from vppo_core.archive.columns import CleanText, Json, Moment

metadata: Final = MetaData(
    naming_convention={
        "ix": "%(table_name)s_%(column_0_N_name)s",
        "pk": "%(table_name)s_pk",
        "fk": "%(table_name)s_%(column_0_name)s_fk",
    }
)

# SQLite counts up only a column that is called INTEGER.
Counter: Final = BigInteger().with_variant(Integer(), "sqlite")

jobs: Final = Table(
    "jobs",
    metadata,
    Column("uid", CleanText, primary_key=True),
    Column("name", CleanText, nullable=False),
    Column("namespace", CleanText, nullable=False),
    Column("owner", CleanText, nullable=False),
    # Where it waits: what the spec says until the status knows better.
    Column("queue", CleanText, nullable=False),
    Column("phase", CleanText, nullable=False),
    Column("generation", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("created", Moment, nullable=False),
    Column("finished", Moment),
    Column("deletion_requested", Moment),
    Column("released", Moment),
    # When its files may be removed: `finished` and the time to live of the spec.
    Column("expires", Moment),
    Column("expired", Moment),
    Column("spec_hash", CleanText, nullable=False),
    Column("labels", Json, nullable=False),
    Column("annotations", Json, nullable=False),
    Column("status_json", CleanText, nullable=False),
    Column("spec_json", CleanText, nullable=False),
)

IS_LIVE: Final = and_(jobs.c.finished.is_(None), jobs.c.released.is_(None))
"""Whether the job holds its name."""

IS_LEAVING: Final = and_(
    jobs.c.finished.is_not(None),
    jobs.c.deletion_requested.is_not(None),
    jobs.c.released.is_(None),
)
"""Whether the job is over and to be let go."""

MAY_EXPIRE: Final = and_(jobs.c.expires.is_not(None), jobs.c.expired.is_(None))
"""Whether the job's files are to be removed at some time."""

# The name in the index lets a search for a part of a name read nothing else.
Index("jobs_newest", jobs.c.created, jobs.c.uid, jobs.c.name)
Index("jobs_by_name", jobs.c.name, jobs.c.created)
Index(
    "jobs_live_name",
    jobs.c.namespace,
    jobs.c.name,
    unique=True,
    sqlite_where=IS_LIVE,
    postgresql_where=IS_LIVE,
)
Index("jobs_leaving", jobs.c.created, sqlite_where=IS_LEAVING, postgresql_where=IS_LEAVING)
Index("jobs_expiring", jobs.c.expires, sqlite_where=MAY_EXPIRE, postgresql_where=MAY_EXPIRE)

job_tags: Final = Table(
    "job_tags",
    metadata,
    # Hash of one thing that a list can be filtered by; see `tags.py`.
    Column("tag", CleanText, primary_key=True),
    Column("created", Moment, primary_key=True),
    Column("uid", CleanText, ForeignKey(jobs.c.uid), primary_key=True),
    sqlite_with_rowid=False,
)

idempotency: Final = Table(
    "idempotency",
    metadata,
    Column("tenant", CleanText, primary_key=True),
    Column("key_hash", CleanText, primary_key=True),
    Column("body_hash", CleanText, nullable=False),
    Column("job_uid", CleanText, nullable=False),
    Column("expires", Moment, nullable=False, index=True),
    sqlite_with_rowid=False,
)

attempts: Final = Table(
    "attempts",
    metadata,
    Column("job_uid", CleanText, ForeignKey(jobs.c.uid), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("status_json", CleanText, nullable=False),
)

events: Final = Table(
    "events",
    metadata,
    Column("seq", Counter, primary_key=True, autoincrement=True),
    Column("job_uid", CleanText, ForeignKey(jobs.c.uid), nullable=False),
    Column("job_name", CleanText, nullable=False),
    Column("time", Moment, nullable=False),
    Column("actor", CleanText, nullable=False),
    Column("kind", CleanText, nullable=False),
    Column("reason", CleanText, nullable=False),
    Column("message", CleanText, nullable=False),
    Column("payload", Json, nullable=False),
    # PostgreSQL's id of the transaction that wrote the row; see `events.py`.
    Column("transaction_id", BigInteger),
)
Index("events_of_job", events.c.job_uid, events.c.seq)

checkpoints: Final = Table(
    "checkpoints",
    metadata,
    Column("job_uid", CleanText, ForeignKey(jobs.c.uid), primary_key=True),
    Column("step", Integer, primary_key=True, autoincrement=False),
    Column("uri", CleanText, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("created", Moment, nullable=False),
    Column("metrics", Json, nullable=False),
    Column("is_promoted", Boolean, nullable=False),
    Column("deleted", Moment),
)

usage: Final = Table(
    "usage",
    metadata,
    Column("job_uid", CleanText, ForeignKey(jobs.c.uid), primary_key=True),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("hour", Moment, primary_key=True, index=True),
    Column("allocated", Float(53), nullable=False),
    Column("productive", Float(53), nullable=False),
    Column("lost", Float(53), nullable=False),
)

webhooks: Final = Table(
    "webhooks",
    metadata,
    Column("id", CleanText, primary_key=True),
    Column("url", CleanText, nullable=False),
    Column("secret", CleanText, nullable=False),
    Column("events", Json, nullable=False),
    Column("owner", CleanText, nullable=False),
    Column("created", Moment, nullable=False),
    # Whose jobs it is told of; none: all.
    Column("namespace", CleanText),
)

outbox: Final = Table(
    "outbox",
    metadata,
    Column("number", Counter, primary_key=True, autoincrement=True),
    Column("webhook_id", CleanText, ForeignKey(webhooks.c.id, ondelete="CASCADE"), nullable=False),
    Column("event_seq", BigInteger, nullable=False),
    Column("body", CleanText, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_try", Moment),
    Column("delivered", Moment),
    Column("last_status", Integer),
    Column("last_error", CleanText, nullable=False),
    sqlite_autoincrement=True,
)
IS_WAITING: Final = outbox.c.next_try.is_not(None)
Index("outbox_of_webhook", outbox.c.webhook_id, outbox.c.number)
Index("outbox_due", outbox.c.next_try, sqlite_where=IS_WAITING, postgresql_where=IS_WAITING)
