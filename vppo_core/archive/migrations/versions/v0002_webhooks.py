"""Webhooks and the messages to them."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

WAITING = sa.text("next_try IS NOT NULL")


def upgrade() -> None:
    """Make the tables of webhooks and of messages."""
    op.create_table(
        "webhooks",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("events", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="webhooks_pk"),
    )
    op.create_table(
        "outbox",
        sa.Column(
            "number",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("webhook_id", sa.Text(), nullable=False),
        sa.Column("event_seq", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_try", sa.BigInteger()),
        sa.Column("delivered", sa.BigInteger()),
        sa.Column("last_status", sa.Integer()),
        sa.Column("last_error", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="outbox_pk"),
        sa.ForeignKeyConstraint(
            ["webhook_id"], ["webhooks.id"], name="outbox_webhook_id_fk", ondelete="CASCADE"
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("outbox_of_webhook", "outbox", ["webhook_id", "number"])
    op.create_index(
        "outbox_due", "outbox", ["next_try"], sqlite_where=WAITING, postgresql_where=WAITING
    )
