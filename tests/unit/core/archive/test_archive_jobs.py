from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from vppo_core.archive.database import Database
from vppo_core.archive.errors import (
    IdempotencyConflictError,
    JobNotFoundError,
    NameTakenError,
)
from vppo_core.archive.events import events_after
from vppo_core.archive.jobs import get_job, mark_released, request_deletion
from vppo_core.archive.records import IdempotencyKey
from vppo_core.archive.tables import idempotency
from vppo_core.spec.objects import JobObject
from vppo_core.spec.status import JobPhase

KEY = IdempotencyKey(tenant="ann", key="monday")


def test_a_job_comes_back_as_it_was_accepted(db: Database, life: Any) -> None:
    job = life.job("first", labels={"team": "vision"}, annotations={"note": "naïve"}, seed=7)
    record, is_replay = life.create(job, owner="ann")
    assert not is_replay
    assert record == get_job(db, "first")
    assert (record.job, record.owner, record.created) == (job, "ann", life.now)
    assert (record.phase, record.generation, record.version) == (JobPhase.PENDING, 1, 1)
    assert record.status.spec_hash == "hash"


def test_its_json_is_the_object_of_every_door(life: Any) -> None:
    record = life.made(life.job("first", labels={"team": "vision"}))
    shown = JobObject.model_validate_json(record.as_json())
    assert shown.spec == record.spec
    assert (shown.metadata.uid, shown.metadata.labels) == (record.uid, {"team": "vision"})


def test_acceptance_is_an_event_of_the_owner(db: Database, life: Any) -> None:
    record = life.made("first", owner="bob")
    (event,) = events_after(db, record.uid, after=0, limit=10)
    assert (event.reason, event.actor, event.kind) == ("Created", "bob", "Audit")
    assert (event.job_name, event.time) == ("first", record.created)


def test_a_living_job_keeps_its_name(db: Database, life: Any) -> None:
    first = life.made("first")
    with pytest.raises(NameTakenError, match="got 'first'; choose another name"):
        life.create("first")
    assert get_job(db, "first") == first
    assert len(events_after(db, None, after=0, limit=10)) == 1


def test_the_same_name_in_another_namespace_is_another_name(life: Any) -> None:
    job = life.job("first")
    life.create(job)
    elsewhere = job.metadata.model_copy(update={"namespace": "elsewhere"})
    assert life.made(job.model_copy(update={"metadata": elsewhere})).namespace == "elsewhere"


@pytest.mark.parametrize("phase", [phase for phase in JobPhase if phase.is_final])
def test_the_name_of_a_final_job_is_free(db: Database, life: Any, phase: JobPhase) -> None:
    first = life.made("first")
    life.reach(first.uid, phase)
    second = life.made("first")
    assert get_job(db, "first").uid == second.uid
    assert get_job(db, "first", uid=first.uid).phase is phase


def test_the_name_of_a_released_job_is_free(db: Database, life: Any) -> None:
    first = life.made("first")
    request_deletion(db, "first", actor="ann", now=life.now)
    with pytest.raises(NameTakenError):
        life.create("first")
    mark_released(db, first.uid, life.now)
    assert life.made("first").uid != first.uid


def test_a_uid_alone_finds_its_job(db: Database, life: Any) -> None:
    record = life.made("first")
    assert get_job(db, "", uid=record.uid) == record


@pytest.mark.parametrize(
    ("name", "uid"),
    [
        pytest.param("absent", None, id="no-such-name"),
        pytest.param("", None, id="no-name"),
        pytest.param("first", "other", id="name-of-another-uid"),
        pytest.param("fi\0rst", None, id="nul"),
        pytest.param("fi\ud800rst", None, id="half-a-surrogate-pair"),
    ],
)
def test_an_unknown_job_is_not_found(db: Database, life: Any, name: str, uid: str | None) -> None:
    life.made("first")
    with pytest.raises(JobNotFoundError, match="`vppo get` lists them"):
        get_job(db, name, uid=uid)


def test_signs_that_no_database_takes_are_replaced(life: Any) -> None:
    life.made("first", owner="a\0b\ud800")
    assert get_job(life.db, "first").owner == "a\ufffdb?"


def test_a_repeated_request_gets_the_same_job(db: Database, life: Any) -> None:
    first, _ = life.create("first", key=KEY)
    life.reach(first.uid, JobPhase.RUNNING)
    again, is_replay = life.create("first", key=KEY)
    assert (again.uid, is_replay, again.phase) == (first.uid, True, JobPhase.RUNNING)
    assert [event.reason for event in events_after(db, None, after=0, limit=10)] == ["Created"]


def test_the_same_key_of_another_tenant_is_another_key(life: Any) -> None:
    first, _ = life.create("first", key=KEY)
    other = IdempotencyKey(tenant="bob", key=KEY.key)
    second, is_replay = life.create("second", key=other)
    assert not is_replay
    assert second.uid != first.uid


def test_a_key_with_another_job_is_refused(db: Database, life: Any) -> None:
    life.create("first", key=KEY)
    with pytest.raises(IdempotencyConflictError, match="use a new key"):
        life.create("second", key=KEY, body_hash="other")
    with pytest.raises(JobNotFoundError):
        get_job(db, "second")


def test_a_refused_job_does_not_use_up_its_key(life: Any) -> None:
    life.made("taken")
    with pytest.raises(NameTakenError):
        life.create("taken", key=KEY, body_hash="one")
    assert not life.create("free", key=KEY, body_hash="other")[1]


def test_a_key_is_kept_for_a_day(life: Any) -> None:
    life.create("first", key=KEY)
    life.now += timedelta(hours=24, seconds=-2)
    assert life.create("second", key=KEY)[1]
    record, is_replay = life.create("second", key=KEY, body_hash="other")
    assert (record.name, is_replay) == ("second", False)
    assert life.create("second", key=KEY, body_hash="other") == (record, True)


def test_old_keys_do_not_pile_up(db: Database, life: Any) -> None:
    for number in range(30):
        life.create(f"old-{number}", key=IdempotencyKey(tenant="ann", key=f"old-{number}"))
    life.now += timedelta(hours=25)
    for number in range(60):
        life.create(f"new-{number}", key=IdempotencyKey(tenant="ann", key=f"new-{number}"))
    with db.reading() as connection:
        kept = connection.execute(select(func.count()).select_from(idempotency)).scalar_one()
    assert kept == 60
