"""Webhooks that are told of the jobs of one namespace."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Those that exist go on hearing of all jobs."""
    op.add_column("webhooks", sa.Column("namespace", sa.Text()))
