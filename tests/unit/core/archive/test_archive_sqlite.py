"""What only a file does: it is full, locked, unreadable, somewhere else."""

import sqlite3
import stat
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from vppo_core.archive.database import Database, open_database
from vppo_core.archive.errors import StoreError, StoreUnavailableError
from vppo_core.archive.events import events_after
from vppo_core.archive.job_lists import list_jobs
from vppo_core.archive.jobs import create_job
from vppo_core.archive.records import JobQuery
from vppo_core.spec.job import VPPOJob

NOW = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.fixture
def file(folder: Path) -> Path:
    return folder / "jobs.db"


@pytest.fixture
def sqlite(file: Path) -> Iterator[Database]:
    """An archive in a file that waits a moment only."""
    database = open_database(f"sqlite:///{file}", wait_seconds=0.2)
    yield database
    database.close()


def create(db: Database, name: str) -> None:
    spec = {"model": {"source": "demo://model"}, "data": {"source": "demo://data"}}
    job = VPPOJob.model_validate({"metadata": {"name": name}, "spec": spec})
    create_job(db, job, uid=f"uid-{name}", owner="ann", spec_hash="hash", now=NOW)


def create_many(db: Database, count: int) -> None:
    for number in range(count):
        create(db, f"job-{number}")


def remove_events_and_fail(db: Database) -> None:
    with db.writing() as connection:
        connection.execute(text("DELETE FROM events"))
        raise RuntimeError


def names(db: Database) -> list[str]:
    return sorted(job.name for job in list_jobs(db, JobQuery(limit=100)).items)


def pragma(db: Database, statement: str) -> Any:
    with db.reading() as connection:
        result = connection.exec_driver_sql(f"PRAGMA {statement}")
        return result.scalar() if result.returns_rows else None


@pytest.mark.parametrize(
    ("setting", "value"),
    [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("busy_timeout", 200)],
)
def test_every_connection_has_its_settings(sqlite: Database, setting: str, value: Any) -> None:
    with sqlite.reading():
        assert pragma(sqlite, setting) == value


def test_the_file_is_readable_by_its_owner_only(sqlite: Database, file: Path) -> None:
    create(sqlite, "first")
    files = [file, Path(f"{file}-wal"), Path(f"{file}-shm")]
    assert [stat.S_IMODE(one.stat().st_mode) for one in files] == [0o600] * 3


def test_a_lock_of_another_connection_makes_it_unavailable_and_then_not(
    sqlite: Database, file: Path
) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailableError, match=r"database is locked.*try again"):
            create(sqlite, "first")
        assert names(sqlite) == []
        other.execute("ROLLBACK")
    create(sqlite, "first")
    assert names(sqlite) == ["first"]


def test_a_writer_of_another_thread_makes_it_unavailable_and_then_not(sqlite: Database) -> None:
    holds, may_end = threading.Event(), threading.Event()

    def hold() -> None:
        with sqlite.writing():
            holds.set()
            may_end.wait(30)

    other = threading.Thread(target=hold)
    other.start()
    assert holds.wait(30)
    with pytest.raises(StoreUnavailableError, match="locked by other threads"):
        create(sqlite, "first")
    assert names(sqlite) == []
    may_end.set()
    other.join()
    create(sqlite, "first")


def test_a_full_disk_leaves_nothing_half_written(sqlite: Database) -> None:
    pages = pragma(sqlite, "page_count")
    assert pragma(sqlite, f"max_page_count = {pages + 8}") == pages + 8
    with pytest.raises(StoreUnavailableError, match="disk is full"):
        create_many(sqlite, 100)
    written = names(sqlite)
    assert 0 < len(written) < 100
    assert written == sorted(f"job-{number}" for number in range(len(written)))
    assert len(events_after(sqlite, None, after=0, limit=200)) == len(written)
    pragma(sqlite, "max_page_count = 100000")
    create(sqlite, "after")
    assert "after" in names(sqlite)


def test_a_read_only_database_is_read_but_not_written(sqlite: Database) -> None:
    create(sqlite, "first")
    pragma(sqlite, "query_only = ON")
    with pytest.raises(StoreUnavailableError, match="readonly"):
        create(sqlite, "second")
    assert names(sqlite) == ["first"]


def test_a_file_that_is_no_database_is_unavailable(file: Path) -> None:
    file.write_text("certainly no database " * 100)
    with pytest.raises(StoreUnavailableError, match="not a database"):
        open_database(f"sqlite:///{file}")


@pytest.mark.parametrize("path", ["absent/jobs.db", "."])
def test_a_file_that_cannot_be_made_is_unavailable(folder: Path, path: str) -> None:
    with pytest.raises(StoreUnavailableError):
        open_database(f"sqlite:///{folder / path}")


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        pytest.param("jobs.db", "got text that is no URL", id="no-url"),
        pytest.param("mysql://host/db", "got 'mysql'", id="other-database"),
        pytest.param("sqlite://", "got SQLite in memory", id="memory"),
        pytest.param("sqlite:///:memory:", "got SQLite in memory", id="memory-by-name"),
    ],
)
def test_an_address_of_another_kind_is_refused(url: str, sentence: str) -> None:
    with pytest.raises(StoreError, match=f"{sentence}.*; "):
        open_database(url)


def test_a_fault_in_a_statement_is_no_trouble_of_the_database(sqlite: Database) -> None:
    with pytest.raises(OperationalError, match="no such table"), sqlite.reading() as connection:
        connection.execute(text("SELECT * FROM nonsense"))


def test_an_exception_undoes_the_transaction(sqlite: Database) -> None:
    create(sqlite, "first")
    with pytest.raises(RuntimeError):
        remove_events_and_fail(sqlite)
    assert len(events_after(sqlite, None, after=0, limit=10)) == 1


def test_many_threads_create_every_job_once(folder: Path) -> None:
    db = open_database(f"sqlite:///{folder / 'threads.db'}", wait_seconds=30)
    expected = sorted(f"job-{thread}-{n}" for thread in range(8) for n in range(10))

    def work(thread: int) -> None:
        for number in range(10):
            create(db, f"job-{thread}-{number}")
            list_jobs(db, JobQuery())

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert names(db) == expected
    db.close()
