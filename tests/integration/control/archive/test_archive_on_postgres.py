"""What only a server does: it is away, comes back, has several writers at once."""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from vppo_core.archive.database import Database, open_database
from vppo_core.archive.errors import JobNotFoundError, StoreUnavailableError
from vppo_core.archive.events import NewEvent, append, events_after
from vppo_core.archive.job_rows import find_job
from vppo_core.archive.jobs import create_job, get_job
from vppo_core.archive.records import JobRecord
from vppo_core.spec.job import VPPOJob

NOW = datetime(2026, 5, 1, tzinfo=UTC)
ROOT = Path(__file__).parents[4]
UNIT_TESTS = ROOT / "tests" / "unit" / "core" / "archive"


@pytest.fixture
def db(server: Any) -> Iterator[Database]:
    database = open_database(server.make_database(), wait_seconds=1)
    yield database
    database.close()


def make(db: Database, name: str) -> JobRecord:
    spec = {"model": {"source": "demo://model"}, "data": {"source": "demo://data"}}
    job = VPPOJob.model_validate({"metadata": {"name": name}, "spec": spec})
    uid = str(uuid.uuid4())
    return create_job(db, job, uid=uid, owner="ann", spec_hash="hash", now=NOW)[0]


def note(connection: Any, name: str, reason: str) -> None:
    event = NewEvent(actor="ann", kind="Audit", reason=reason, message="", payload={})
    append(connection, find_job(connection, name), [event], NOW)


def reasons(db: Database, after: int = 0) -> list[str]:
    return [event.reason for event in events_after(db, None, after=after, limit=100)]


@pytest.mark.slow
def test_every_test_of_the_archive_passes_on_postgresql_too(server: Any) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", str(UNIT_TESTS), "-q", "-p", "no:cacheprovider"],
        cwd=ROOT,
        env={**os.environ, "VPPO_TEST_DATABASE": server.url()},
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stdout[-10_000:] + done.stderr[-2_000:]


def test_a_reader_never_skips_an_event_that_appears_later(db: Database) -> None:
    make(db, "first")
    with db.writing() as slow:
        note(slow, "first", "Slow")
        with db.writing() as quick:
            note(quick, "first", "Quick")
        assert reasons(db) == ["Created"]
    assert reasons(db) == ["Created", "Slow", "Quick"]


def test_an_event_of_a_writer_that_gave_up_does_not_hold_others_back(db: Database) -> None:
    make(db, "first")
    with pytest.raises(RuntimeError):
        give_up(db)
    assert reasons(db) == ["Created", "Quick"]


def give_up(db: Database) -> None:
    with db.writing() as slow:
        note(slow, "first", "Slow")
        with db.writing() as quick:
            note(quick, "first", "Quick")
        raise RuntimeError


def test_events_of_a_restored_dump_are_seen_at_once(db: Database) -> None:
    make(db, "first")
    with db.writing() as connection:
        connection.exec_driver_sql("UPDATE events SET transaction_id = 4000000000")
    assert reasons(db) == ["Created"]


def test_a_restart_while_nobody_writes_goes_unnoticed(db: Database, server: Any) -> None:
    make(db, "first")
    server.stop()
    server.start()
    assert make(db, "second").name == "second"
    assert get_job(db, "first").name == "first"


def test_a_restart_midway_leaves_nothing_half_written(db: Database, server: Any) -> None:
    make(db, "first")
    with pytest.raises(StoreUnavailableError, match="nothing was written, try again"):
        restart_midway(db, server)
    assert get_job(db, "first").name == "first"
    assert reasons(db) == ["Created"]
    make(db, "second")


def restart_midway(db: Database, server: Any) -> None:
    with db.writing() as connection:
        note(connection, "first", "Half")
        connection.exec_driver_sql("UPDATE jobs SET name = 'half'")
        server.stop()
        server.start()
        note(connection, "half", "OtherHalf")


def test_a_server_that_is_away_is_unavailable_until_it_is_back(db: Database, server: Any) -> None:
    make(db, "first")
    server.stop()
    try:
        with pytest.raises(StoreUnavailableError):
            make(db, "second")
        with pytest.raises(StoreUnavailableError):
            get_job(db, "first")
        with pytest.raises(StoreUnavailableError):
            open_database(server.url(), wait_seconds=1)
    finally:
        server.start()
    with pytest.raises(JobNotFoundError):
        get_job(db, "second")
    assert make(db, "second").name == "second"


def test_a_server_that_only_reads_is_unavailable_to_writers(db: Database) -> None:
    make(db, "first")
    with pytest.raises(StoreUnavailableError, match="read-only"):
        write_to_a_standby(db)
    assert reasons(db) == ["Created"]


def write_to_a_standby(db: Database) -> None:
    with db.writing() as connection:
        connection.exec_driver_sql("SET TRANSACTION READ ONLY")
        note(connection, "first", "Never")


def test_an_address_without_a_driver_name_means_the_same(server: Any) -> None:
    url = server.make_database().replace("postgresql+psycopg://", "postgresql://")
    db = open_database(url)
    assert make(db, "first").name == "first"
    db.close()
