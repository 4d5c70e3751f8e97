"""Tells a database that is away, locked or full from a fault of ours."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from vppo_core.archive.errors import StoreUnavailableError

PASSING_SQLITE: Final = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOTADB,
    }
)
READ_ONLY_TRANSACTION: Final = "25006"
"""PostgreSQL's code while a server is a standby; its driver does not count it as operational."""


@contextmanager
def translated() -> Iterator[None]:
    """Turn the database's own troubles into `StoreUnavailableError`; other errors pass.

    Raises:
        StoreUnavailableError: nothing was written, unless the connection broke during the commit
            itself; then nobody can know, and a repeated request must be safe.
    """
    try:
        yield
    except PoolTimeoutError:
        raise unavailable("all connections are in use") from None
    except DBAPIError as error:
        if not _is_trouble(error):
            raise
        raise unavailable(_first_line(error.orig)) from error


def unavailable(cause: str) -> StoreUnavailableError:
    """The error with its sentence."""
    return StoreUnavailableError(
        f"the database must take reads and writes, got '{cause}'; nothing was written, try again"
    )


def _is_trouble(error: DBAPIError) -> bool:
    origin = error.orig
    if isinstance(origin, sqlite3.Error):
        code = getattr(origin, "sqlite_errorcode", None)
        return isinstance(code, int) and code & 0xFF in PASSING_SQLITE
    if getattr(origin, "sqlstate", None) == READ_ONLY_TRANSACTION:
        return True
    return error.connection_invalidated or isinstance(error, OperationalError | InterfaceError)


def _first_line(origin: BaseException | None) -> str:
    text = str(origin).strip()
    return text.splitlines()[0] if text else type(origin).__name__
