"""SQLite: one file, one writer at a time, every commit on the disk."""

import os
import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event

from vppo_core.archive.errors import StoreError
from vppo_core.archive.unavailable import unavailable


def sqlite_engine(url: URL, *, wait_seconds: float) -> Engine:
    """Connections to a file, which is made if there is none; its folder must exist.

    A transaction that has the execution option `writes` takes the write lock at its beginning, so
    that it never fails midway because another one wrote.

    Raises:
        StoreUnavailableError: the file cannot be made.
    """
    if not url.database or url.database == ":memory:":
        raise StoreError(
            "the database must be a file, got SQLite in memory, which only one thread would see; "
            "use sqlite:///FILE"
        )
    _make_private(Path(url.database))
    engine = create_engine(
        url,
        # Python's own way of beginning transactions is off; `begin` below does it.
        connect_args={"isolation_level": None, "timeout": wait_seconds},
        pool_size=8,
        max_overflow=56,
        pool_timeout=wait_seconds,
    )

    @event.listens_for(engine, "connect")
    def _connected(connection: sqlite3.Connection, _: Any) -> None:
        connection.execute("PRAGMA foreign_keys = ON")
        mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        # A commit waits for the disk: what was answered with 201 survives a power cut.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA cache_size = -16384")
        # Pages that many commits touch are copied into the file less often.
        connection.execute("PRAGMA wal_autocheckpoint = 4000")
        if mode != "wal":
            raise unavailable(f"journal mode {mode} instead of wal; use a local disk")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _make_private(path: Path) -> None:
    """The file holds webhooks' secrets; SQLite gives its other files the same permissions."""
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_CREAT, 0o600))
    except OSError as error:
        raise unavailable(str(error)) from error
