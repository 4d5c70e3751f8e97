"""Job objects become rows: made once, brought up to date, never two living ones of a name."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from vppo_core.archive.database import Database, open_database
from vppo_core.archive.events import events_after
from vppo_core.archive.job_lists import active_jobs, expirable_jobs, list_jobs
from vppo_core.archive.jobs import get_job, write_plan
from vppo_core.archive.mirror import mirror_job, unreleased_jobs
from vppo_core.archive.records import JobQuery, JobRecord
from vppo_core.spec.hashing import spec_hash
from vppo_core.spec.job import VPPOJobSpec
from vppo_core.spec.status import JobPhase, VPPOJobStatus

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    database = open_database(f"sqlite:///{tmp_path / 'vppo.db'}")
    yield database
    database.close()


def spec(**fields: object) -> VPPOJobSpec:
    return VPPOJobSpec.model_validate(
        {"model": {"source": "a/b"}, "data": {"source": "c/d"}, **fields}
    )


def record(uid: str = "u1", *, of: VPPOJobSpec | None = None, **fields: object) -> JobRecord:
    plain = JobRecord(
        uid=uid,
        name="demo",
        namespace="team",
        owner="ada",
        labels={"topic": "charts"},
        annotations={},
        spec_json=(of or spec()).model_dump_json(by_alias=True),
        status_json=VPPOJobStatus().model_dump_json(by_alias=True),
        spec_hash="",
        phase=JobPhase.PENDING,
        generation=1,
        version=0,
        created=NOON,
    )
    return replace(plain, **fields)  # type: ignore[arg-type]


def reasons(db: Database, uid: str = "u1") -> list[str]:
    return [one.reason for one in events_after(db, uid, after=0, limit=50)]


def test_a_new_object_is_a_row_that_lists_find(db: Database) -> None:
    row = mirror_job(db, record(), NOON)
    assert (row.version, row.owner, row.spec_hash) == (1, "ada", spec_hash(spec()))
    page = list_jobs(db, JobQuery(namespace="team", labels=(("topic", "charts"),), owner="ada"))
    assert [one.uid for one in page.items] == ["u1"]
    assert reasons(db) == ["Created"]


def test_the_same_again_changes_nothing(db: Database) -> None:
    first = mirror_job(db, record(), NOON)
    assert mirror_job(db, record(), NOON + timedelta(minutes=1)) == first
    assert reasons(db) == ["Created"]


def test_a_changed_spec_raises_the_version_and_keeps_the_status(db: Database) -> None:
    mirror_job(db, record(), NOON)
    status = VPPOJobStatus(phase=JobPhase.RUNNING)
    write_plan(db, "u1", status=status, attempts=(), events=(), usage={}, now=NOON)
    paused = spec(desired_state="Paused")
    row = mirror_job(db, record(of=paused, generation=2), NOON)
    assert (row.generation, row.phase) == (2, JobPhase.RUNNING)
    assert row.version == 3
    assert row.spec_hash == spec_hash(paused)


def test_a_request_to_delete_and_new_labels_are_written_down(db: Database) -> None:
    mirror_job(db, record(), NOON)
    row = mirror_job(db, record(labels={"topic": "maps"}, deletion_requested=NOON), NOON)
    assert row.deletion_requested == NOON
    found = list_jobs(db, JobQuery(labels=(("topic", "maps"),))).items
    assert [one.uid for one in found] == ["u1"]
    assert list_jobs(db, JobQuery(labels=(("topic", "charts"),))).items == ()


def test_another_object_of_the_name_lets_the_earlier_one_go(db: Database) -> None:
    mirror_job(db, record("u1"), NOON)
    mirror_job(db, record("u2", created=NOON + timedelta(hours=1)), NOON)
    mirror_job(db, record("u3", namespace="other"), NOON)
    assert {one.uid for one in active_jobs(db)} == {"u2", "u3"}
    assert get_job(db, "", uid="u1").released == NOON
    assert [one.uid for one in unreleased_jobs(db, "team", "demo")] == ["u2"]


def test_a_finished_job_of_a_lost_archive_comes_back_with_its_expiry(db: Database) -> None:
    done = VPPOJobStatus(phase=JobPhase.SUCCEEDED).model_dump_json(by_alias=True)
    row = mirror_job(db, record(status_json=done, phase=JobPhase.SUCCEEDED, finished=NOON), NOON)
    assert (row.phase, row.finished) == (JobPhase.SUCCEEDED, NOON)
    assert active_jobs(db) == []


def test_a_longer_life_of_a_finished_job_counts_from_its_end(db: Database) -> None:
    done = VPPOJobStatus(phase=JobPhase.SUCCEEDED).model_dump_json(by_alias=True)
    finished = record(status_json=done, phase=JobPhase.SUCCEEDED, finished=NOON)
    mirror_job(db, finished, NOON)
    longer = spec(ttl_seconds_after_finished=60).model_dump_json(by_alias=True)
    mirror_job(db, replace(finished, spec_json=longer, generation=2), NOON)
    assert expirable_jobs(db, NOON + timedelta(seconds=59), 9) == []
    assert len(expirable_jobs(db, NOON + timedelta(seconds=61), 9)) == 1
