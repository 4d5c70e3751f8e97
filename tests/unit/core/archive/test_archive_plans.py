from datetime import timedelta
from typing import Any

import pytest

from vppo_core.archive.attempts import attempts_of
from vppo_core.archive.database import Database
from vppo_core.archive.events import events_after
from vppo_core.archive.jobs import get_job, mark_expired, mark_released, patch_job, write_plan
from vppo_core.archive.records import JobChanges, JobRecord
from vppo_core.archive.usage import usage_between
from vppo_core.lifecycle.actions import JobEvent
from vppo_core.lifecycle.ledger import UsageBucket
from vppo_core.spec.status import AttemptStatus, JobPhase, Outcome, Progress, VPPOJobStatus


def write(life: Any, uid: str, **parts: Any) -> JobRecord | None:
    plan = {"attempts": (), "events": (), "usage": {}, "status": VPPOJobStatus(), **parts}
    return write_plan(life.db, uid, now=life.now, **plan)


def test_a_status_is_written_with_a_new_version(db: Database, life: Any) -> None:
    created = life.made("first")
    status = VPPOJobStatus(phase=JobPhase.RUNNING, progress=Progress(step=3, total_steps=9))
    record = write(life, created.uid, status=status)
    assert record == get_job(db, "first")
    assert record is not None
    assert (record.status, record.phase, record.version) == (status, JobPhase.RUNNING, 2)
    assert (record.spec_json, record.generation) == (created.spec_json, 1)


def test_the_same_status_again_is_not_written(life: Any) -> None:
    created = life.made("first")
    status = VPPOJobStatus(phase=JobPhase.RUNNING)
    first = write(life, created.uid, status=status)
    life.now += timedelta(seconds=1)
    assert write(life, created.uid, status=status) == first


def test_a_job_that_is_gone_takes_no_plan(db: Database, life: Any) -> None:
    event = JobEvent(kind="Normal", reason="Nothing", message="Nothing happened.")
    assert write(life, "no-such-uid", events=[event]) is None
    assert events_after(db, None, after=0, limit=10) == []


@pytest.mark.parametrize("phase", list(JobPhase))
def test_the_end_is_written_down_when_the_phase_is_final(life: Any, phase: JobPhase) -> None:
    created = life.made("first")
    record = life.reach(created.uid, phase)
    assert record.finished == (life.now if phase.is_final else None)
    life.now += timedelta(minutes=1)
    later = life.reach(created.uid, phase, progress={"step": 1})
    assert later.finished == record.finished


def test_attempts_are_added_and_updated(db: Database, life: Any) -> None:
    created = life.made("first")
    one = AttemptStatus(index=1, created=life.now, gpus=8)
    write(life, created.uid, attempts=[one])
    ended = one.model_copy(update={"ended": life.now, "outcome": Outcome.LOST})
    two = AttemptStatus(index=2, created=life.now)
    write(life, created.uid, attempts=[ended, two])
    assert attempts_of(db, created.uid) == [ended, two]
    assert attempts_of(db, "no-such-uid") == []


def test_events_are_the_programs_own_with_the_facts_of_the_status(db: Database, life: Any) -> None:
    created = life.made("first")
    status = VPPOJobStatus(phase=JobPhase.RETRYING, attempt=2, progress=Progress(step=7))
    events = [
        JobEvent(kind="Warning", reason="AttemptFailed", message="It failed."),
        JobEvent(kind="Normal", reason="RetryPlanned", message="It is tried again."),
    ]
    write(life, created.uid, status=status, events=events)
    written = events_after(db, created.uid, after=0, limit=10)[1:]
    assert [(one.kind, one.reason, one.message, one.actor) for one in written] == [
        ("Warning", "AttemptFailed", "It failed.", "vppo"),
        ("Normal", "RetryPlanned", "It is tried again.", "vppo"),
    ]
    assert written[0].payload == {"phase": "Retrying", "attempt": 2, "step": 7}


def test_hours_of_usage_are_replaced_not_added(db: Database, life: Any) -> None:
    created = life.made("first")
    hour = life.now.replace(minute=0, second=0)
    for allocated in (10.0, 25.0):
        bucket = UsageBucket(hour=hour, allocated=allocated, productive=5.0, lost=1.0)
        write(life, created.uid, usage={1: [bucket], 2: [bucket]})
    (row,) = usage_between(db, hour, hour + timedelta(hours=1), "job")
    assert (row.gpu_seconds_allocated, row.gpu_seconds_productive, row.gpu_seconds_lost) == (
        50.0,
        10.0,
        2.0,
    )


def test_a_plan_that_was_made_before_a_change_does_not_undo_it(db: Database, life: Any) -> None:
    created = life.made("first")
    patch_job(db, "first", JobChanges(desired_state="Paused"), actor="ann", now=life.now)
    record = life.reach(created.uid, JobPhase.RUNNING)
    assert record.spec.desired_state == "Paused"
    assert (record.generation, record.version) == (2, 3)


@pytest.mark.parametrize(
    ("mark", "field"),
    [
        pytest.param(mark_released, "released", id="released"),
        pytest.param(mark_expired, "expired", id="expired"),
    ],
)
def test_marks_are_set_once(db: Database, life: Any, mark: Any, field: str) -> None:
    created = life.made("first")
    mark(db, created.uid, life.now)
    record = get_job(db, "first")
    assert (getattr(record, field), record.version) == (life.now, 2)
    mark(db, created.uid, life.now + timedelta(hours=1))
    mark(db, "no-such-uid", life.now)
    assert get_job(db, "first") == record
