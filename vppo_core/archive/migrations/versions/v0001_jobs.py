"""Jobs and their history."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

LIVE = sa.text("finished IS NULL AND released IS NULL")
LEAVING = sa.text("finished IS NOT NULL AND deletion_requested IS NOT NULL AND released IS NULL")
EXPIRES = sa.text("expires IS NOT NULL AND expired IS NULL")


def upgrade() -> None:
    """Make the tables of jobs, requests, attempts, events, checkpoints and usage."""
    _jobs()
    _requests()
    _history()
    _costs()


def _jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("namespace", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("finished", sa.BigInteger()),
        sa.Column("deletion_requested", sa.BigInteger()),
        sa.Column("released", sa.BigInteger()),
        sa.Column("expires", sa.BigInteger()),
        sa.Column("expired", sa.BigInteger()),
        sa.Column("spec_hash", sa.Text(), nullable=False),
        sa.Column("labels", sa.Text(), nullable=False),
        sa.Column("annotations", sa.Text(), nullable=False),
        sa.Column("status_json", sa.Text(), nullable=False),
        sa.Column("spec_json", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("uid", name="jobs_pk"),
    )
    op.create_index("jobs_newest", "jobs", ["created", "uid", "name"])
    op.create_index("jobs_by_name", "jobs", ["name", "created"])
    op.create_index(
        "jobs_live_name",
        "jobs",
        ["namespace", "name"],
        unique=True,
        sqlite_where=LIVE,
        postgresql_where=LIVE,
    )
    op.create_index(
        "jobs_leaving", "jobs", ["created"], sqlite_where=LEAVING, postgresql_where=LEAVING
    )
    op.create_index(
        "jobs_expiring", "jobs", ["expires"], sqlite_where=EXPIRES, postgresql_where=EXPIRES
    )
    op.create_table(
        "job_tags",
        sa.Column("tag", sa.Text(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tag", "created", "uid", name="job_tags_pk"),
        sa.ForeignKeyConstraint(["uid"], ["jobs.uid"], name="job_tags_uid_fk"),
        sqlite_with_rowid=False,
    )


def _requests() -> None:
    op.create_table(
        "idempotency",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("key_hash", sa.Text(), nullable=False),
        sa.Column("body_hash", sa.Text(), nullable=False),
        sa.Column("job_uid", sa.Text(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "key_hash", name="idempotency_pk"),
        sqlite_with_rowid=False,
    )
    op.create_index("idempotency_expires", "idempotency", ["expires"])


def _history() -> None:
    op.create_table(
        "attempts",
        sa.Column("job_uid", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("status_json", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("job_uid", "number", name="attempts_pk"),
        sa.ForeignKeyConstraint(["job_uid"], ["jobs.uid"], name="attempts_job_uid_fk"),
    )
    op.create_table(
        "events",
        sa.Column(
            "seq",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("job_uid", sa.Text(), nullable=False),
        sa.Column("job_name", sa.Text(), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("transaction_id", sa.BigInteger()),
        sa.PrimaryKeyConstraint("seq", name="events_pk"),
        sa.ForeignKeyConstraint(["job_uid"], ["jobs.uid"], name="events_job_uid_fk"),
    )
    op.create_index("events_of_job", "events", ["job_uid", "seq"])


def _costs() -> None:
    op.create_table(
        "checkpoints",
        sa.Column("job_uid", sa.Text(), nullable=False),
        sa.Column("step", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("uri", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("metrics", sa.Text(), nullable=False),
        sa.Column("is_promoted", sa.Boolean(), nullable=False),
        sa.Column("deleted", sa.BigInteger()),
        sa.PrimaryKeyConstraint("job_uid", "step", name="checkpoints_pk"),
        sa.ForeignKeyConstraint(["job_uid"], ["jobs.uid"], name="checkpoints_job_uid_fk"),
    )
    op.create_table(
        "usage",
        sa.Column("job_uid", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("hour", sa.BigInteger(), nullable=False),
        sa.Column("allocated", sa.Float(53), nullable=False),
        sa.Column("productive", sa.Float(53), nullable=False),
        sa.Column("lost", sa.Float(53), nullable=False),
        sa.PrimaryKeyConstraint("job_uid", "attempt", "hour", name="usage_pk"),
        sa.ForeignKeyConstraint(["job_uid"], ["jobs.uid"], name="usage_job_uid_fk"),
    )
    op.create_index("usage_hour", "usage", ["hour"])
