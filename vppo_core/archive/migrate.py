"""Brings a database to today's shape, also when several processes start at once."""

import threading
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, func, select, text

from vppo_core.archive.errors import StoreError
from vppo_core.archive.transactions import Database

# Alembic keeps the step that runs in variables of its module.
_ONE_AT_A_TIME: Final = threading.Lock()
_ADVISORY_LOCK: Final = 0x7670706F
"""The letters `vppo`."""


def migrate(db: Database, *, revision: str = "head") -> None:
    """Make or upgrade the tables in one transaction; a database that is up to date is only read.

    Raises:
        StoreError: the database was written by a newer program.
        StoreUnavailableError: it cannot be written; it is as it was.
    """
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    newest = ScriptDirectory.from_config(config).get_heads()
    with _ONE_AT_A_TIME:
        with db.reading() as connection:
            if revision == "head" and _revisions(connection) == tuple(newest):
                return
        with db.writing() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SET LOCAL lock_timeout = '10min'"))
                connection.execute(text("SET LOCAL statement_timeout = '10min'"))
                connection.execute(select(func.pg_advisory_xact_lock(_ADVISORY_LOCK)))
            config.attributes["connection"] = connection
            try:
                command.upgrade(config, revision)
            except CommandError as error:
                raise StoreError(
                    f"the database's tables must be of version {', '.join(newest)} or older, got "
                    f"{', '.join(_revisions(connection))}; use the program that wrote it, or a "
                    "newer one"
                ) from error


def _revisions(connection: Connection) -> tuple[str, ...]:
    return MigrationContext.configure(connection).get_current_heads()
