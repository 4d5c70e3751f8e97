"""Transactions for reading and for writing on either kind of database."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError

from vppo_core.archive.errors import StoreError
from vppo_core.archive.postgres import postgres_engine
from vppo_core.archive.sqlite import sqlite_engine
from vppo_core.archive.unavailable import translated, unavailable

WAIT_SECONDS: Final = 5.0
"""How long a lock or a connection is waited for."""


class Database:
    """Transactions on one database. Threads may share it, and processes its file or server."""

    def __init__(self, engine: Engine, *, wait_seconds: float = WAIT_SECONDS) -> None:
        """Use an engine of `sqlite.py` or `postgres.py`; `connect` does that."""
        self._engine = engine
        self._wait_seconds = wait_seconds
        is_sqlite = engine.dialect.name == "sqlite"
        # SQLite lets one writer in, and others poll for their turn; threads can simply wait.
        self._turn = threading.Lock() if is_sqlite else None
        self._writer = engine.execution_options(writes=True)
        # PostgreSQL's readers need no transaction: every list is one statement, or may be two.
        self._reader = (
            engine if is_sqlite else engine.execution_options(isolation_level="AUTOCOMMIT")
        )

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees what is committed.

        Raises:
            StoreUnavailableError.
        """
        with translated(), self._reader.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction: committed at the end, undone by any exception. Do not nest.

        Raises:
            StoreUnavailableError: locked for too long, full, read-only, away; nothing was written.
        """
        with self._my_turn(), translated(), self._writer.begin() as connection:
            yield connection

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._engine.dialect.name

    def close(self) -> None:
        """Close all connections that are not in use."""
        self._engine.dispose()

    @contextmanager
    def _my_turn(self) -> Iterator[None]:
        if self._turn is None:
            yield
            return
        if not self._turn.acquire(timeout=self._wait_seconds):
            raise unavailable("database is locked by other threads")
        try:
            yield
        finally:
            self._turn.release()


def connect(url: str, *, wait_seconds: float = WAIT_SECONDS) -> Database:
    """A database as it is, whatever shape its tables have.

    Raises:
        StoreError: no such kind of database.
        StoreUnavailableError: the file cannot be made.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise StoreError(_bad_url("text that is no URL")) from None
    kind = parsed.get_backend_name()
    if kind == "sqlite":
        return Database(sqlite_engine(parsed, wait_seconds=wait_seconds), wait_seconds=wait_seconds)
    if kind == "postgresql":
        return Database(postgres_engine(parsed, wait_seconds=wait_seconds))
    raise StoreError(_bad_url(f"'{kind}'"))


def _bad_url(what: str) -> str:
    return (
        f"the database must be sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME, got {what}; "
        "write one of these"
    )
