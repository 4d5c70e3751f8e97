"""The way to the archive: its database, in today's shape."""

from typing import Final

from vppo_core.archive.migrate import migrate
from vppo_core.archive.transactions import WAIT_SECONDS, Database, connect

__all__ = ["DATABASE_FILE", "Database", "open_database"]

DATABASE_FILE: Final = "vppo.db"
"""Name of an archive that is a file of a state folder; API and operator may share it."""


def open_database(url: str, *, wait_seconds: float = WAIT_SECONDS) -> Database:
    """The database with all its tables; made or upgraded where need be.

    Args:
        url: `sqlite:///FILE` or `postgresql+psycopg://USER@HOST/NAME`.
        wait_seconds: how long a lock or a connection is waited for.

    Raises:
        StoreError: no such kind of database, or one that a newer program wrote.
        StoreUnavailableError: it cannot be reached or written.
    """
    db = connect(url, wait_seconds=wait_seconds)
    try:
        migrate(db)
    except BaseException:
        db.close()
        raise
    return db
