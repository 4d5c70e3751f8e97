"""Several processes on one archive, on either kind of database."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from vppo_core.archive.database import Database, open_database
from vppo_core.archive.errors import StoreUnavailableError
from vppo_core.archive.events import events_after
from vppo_core.archive.job_lists import list_jobs
from vppo_core.archive.jobs import create_job, get_job
from vppo_core.archive.records import JobQuery
from vppo_core.archive.webhooks import create_webhook
from vppo_core.spec.job import VPPOJob

NOW = datetime(2026, 5, 1, tzinfo=UTC)
ROUNDS = 3


@pytest.fixture
def db(url: str) -> Iterator[Database]:
    """The archive that the workers open too."""
    database = open_database(url, wait_seconds=1)
    yield database
    database.close()


def make(db: Database, name: str) -> str:
    spec = {"model": {"source": "demo://model"}, "data": {"source": "demo://data"}}
    job = VPPOJob.model_validate({"metadata": {"name": name}, "spec": spec})
    uid = str(uuid.uuid4())
    create_job(db, job, uid=uid, owner="ann", spec_hash="hash", now=NOW)
    return uid


def reasons(db: Database) -> list[str]:
    return [event.reason for event in events_after(db, None, after=0, limit=1000)]


@pytest.mark.parametrize("workers", [2, 4])
def test_one_key_makes_one_job_however_many_ask(
    db: Database, url: str, race: Any, workers: int
) -> None:
    for number in range(ROUNDS):
        answers = race("create", url, [(f"job-{number}", f"key-{number}")] * workers)
        uids, replays = zip(*answers, strict=True)
        assert len(set(uids)) == 1
        assert sorted(replays) == [False] + [True] * (workers - 1)
    assert len(list_jobs(db, JobQuery(limit=100)).items) == ROUNDS
    assert reasons(db) == ["Created"] * ROUNDS


@pytest.mark.parametrize("workers", [2, 4])
def test_one_name_makes_one_job_however_many_ask(
    db: Database, url: str, race: Any, workers: int
) -> None:
    for number in range(ROUNDS):
        answers = race("create", url, [(f"job-{number}",)] * workers)
        made = [answer for answer in answers if answer != "name_taken"]
        assert [answer[1] for answer in made] == [False]
    assert len(list_jobs(db, JobQuery(limit=100)).items) == ROUNDS


def test_four_processes_may_make_the_tables_at_once(url: str, race: Any) -> None:
    assert race("opened", url, [()] * 4) == ["opened"] * 4
    db = open_database(url)
    make(db, "first")
    db.close()


def test_changes_of_several_processes_are_all_kept(db: Database, url: str, race: Any) -> None:
    make(db, "shared")
    race("label", url, [("a",), ("b",), ("c",)])
    record = get_job(db, "shared")
    assert sorted(record.labels) == sorted(f"{key}-{n}" for key in "abc" for n in range(20))
    assert record.version == 61
    assert reasons(db).count("Changed") == 60


def test_a_message_is_never_leased_to_two_senders(db: Database, url: str, race: Any) -> None:
    create_webhook(db, id="all", url="https://x/", secret="s", events=(), owner="ann", now=NOW)
    for number in range(60):
        make(db, f"job-{number}")
    taken = race("lease", url, [(), (), ()])
    numbers = [number for mine in taken for number in mine]
    assert len(numbers) == 60
    assert len(set(numbers)) == 60


def test_a_killed_writer_leaves_nothing_half_written(db: Database, url: str, start: Any) -> None:
    make(db, "shared")
    before = get_job(db, "shared")
    worker = start("half", url)
    assert worker.line() == "ready"
    assert get_job(db, "shared") == before
    worker.process.kill()
    worker.process.wait()
    assert get_job(db, "shared") == before
    make(db, "later")
    assert reasons(db) == ["Created", "Created"]


def test_a_writer_of_another_process_makes_it_unavailable_and_then_not(
    db: Database, url: str, start: Any
) -> None:
    make(db, "shared")
    worker = start("half", url)
    assert worker.line() == "ready"
    with pytest.raises(StoreUnavailableError, match="try again"):
        rename(db)
    worker.process.kill()
    worker.process.wait()
    rename(db)
    assert get_job(db, "renamed").owner == "ann"


def rename(db: Database) -> None:
    with db.writing() as connection:
        connection.exec_driver_sql("UPDATE jobs SET name = 'renamed'")
