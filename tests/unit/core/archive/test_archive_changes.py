import json
from typing import Any

import pytest

from vppo_core.archive.database import Database
from vppo_core.archive.errors import JobNotFoundError, NotAllowedNowError, StaleVersionError
from vppo_core.archive.events import events_after
from vppo_core.archive.job_lists import list_jobs
from vppo_core.archive.jobs import get_job, mark_released, patch_job, request_deletion
from vppo_core.archive.records import JobChanges, JobQuery, JobRecord
from vppo_core.errors import InvalidSpecError
from vppo_core.spec.hashing import spec_hash
from vppo_core.spec.status import JobPhase


def patched(life: Any, name: str, **changes: Any) -> JobRecord:
    return patch_job(life.db, name, JobChanges(**changes), actor="bob", now=life.now)


def reasons(life: Any, uid: str) -> list[str]:
    return [event.reason for event in events_after(life.db, uid, after=0, limit=100)][1:]


@pytest.mark.parametrize(
    ("before", "changes", "expected", "reason"),
    [
        pytest.param({}, {"desired_state": "Paused"}, "Paused", "PauseRequested", id="pause"),
        pytest.param(
            {"desiredState": "Paused"},
            {"desired_state": "Running"},
            "Running",
            "ResumeRequested",
            id="resume",
        ),
        pytest.param(
            {}, {"desired_state": "Cancelled"}, "Cancelled", "CancelRequested", id="cancel"
        ),
        pytest.param({}, {"priority": "high"}, "high", "Changed", id="priority"),
        pytest.param(
            {"activeDeadlineSeconds": 100},
            {"active_deadline_seconds": 200},
            200,
            "Changed",
            id="later-deadline",
        ),
        pytest.param(
            {"pendingDeadlineSeconds": 100},
            {"pending_deadline_seconds": 101},
            101,
            "Changed",
            id="later-pending-deadline",
        ),
        pytest.param({}, {"ttl_seconds_after_finished": 0}, 0, "Changed", id="ttl"),
    ],
)
def test_a_mutable_field_is_changed(
    life: Any, before: dict[str, Any], changes: dict[str, Any], expected: Any, reason: str
) -> None:
    created = life.made(life.job("first", **before))
    record = patched(life, "first", **changes)
    (field,) = changes
    assert getattr(record.spec, field) == expected
    assert (record.generation, record.version) == (2, 2)
    assert record.spec_hash == spec_hash(record.spec)
    assert record == get_job(life.db, "first")
    assert reasons(life, created.uid) == [reason]


@pytest.mark.parametrize(
    ("before", "phase", "changes", "sentence"),
    [
        pytest.param(
            {"desiredState": "Cancelled"},
            JobPhase.STOPPING,
            {"desired_state": "Running"},
            "desiredState must stay Cancelled, got Running; clone",
            id="leaves-cancelled",
        ),
        pytest.param(
            {},
            JobPhase.RUNNING,
            {"active_deadline_seconds": 100},
            "activeDeadlineSeconds cannot be added to a job that exists, got 100",
            id="adds-a-deadline",
        ),
        pytest.param(
            {"pendingDeadlineSeconds": 100},
            JobPhase.QUEUED,
            {"pending_deadline_seconds": 99},
            r"pendingDeadlineSeconds may only be raised \(it is 100\), got 99",
            id="lowers-a-deadline",
        ),
        pytest.param(
            {},
            JobPhase.SUCCEEDED,
            {"desired_state": "Cancelled"},
            "desiredState must stay as it is when a job is over, got Succeeded",
            id="cancels-a-final-job",
        ),
        pytest.param(
            {},
            JobPhase.FAILED,
            {"priority": "high", "labels": {"a": "b"}},
            "priority must stay as it is when a job is over, got Failed",
            id="priority-of-a-final-job",
        ),
    ],
)
def test_what_is_not_allowed_now_changes_nothing(
    life: Any, before: dict[str, Any], phase: JobPhase, changes: dict[str, Any], sentence: str
) -> None:
    created = life.made(life.job("first", **before))
    record = life.reach(created.uid, phase)
    with pytest.raises(NotAllowedNowError, match=sentence):
        patched(life, "first", **changes)
    assert get_job(life.db, "first") == record
    assert reasons(life, created.uid) == []


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        pytest.param({"desired_state": "Asleep"}, "desiredState .*'Asleep'", id="no-such-state"),
        pytest.param({"priority": "p" * 254}, "priority .*253", id="long-priority"),
        pytest.param({"ttl_seconds_after_finished": -1}, "ttlSecondsAfterFinished", id="negative"),
        pytest.param({"labels": {f"l{n}": "" for n in range(65)}}, "labels", id="many-labels"),
    ],
)
def test_a_value_that_no_job_may_have_is_an_invalid_spec(
    life: Any, changes: dict[str, Any], sentence: str
) -> None:
    record = life.made("first")
    with pytest.raises(InvalidSpecError, match=sentence):
        patched(life, "first", **changes)
    assert get_job(life.db, "first") == record


def test_a_field_that_has_its_value_already_is_no_change(life: Any) -> None:
    record = life.made(life.job("first", labels={"a": "b"}))
    assert patched(life, "first", desired_state="Running", labels={"a": "b", "c": None}) == record
    final = life.reach(record.uid, JobPhase.CANCELLED)
    assert patched(life, "first", desired_state="Running") == final
    assert reasons(life, record.uid) == []


def test_labels_are_set_and_removed_without_a_new_generation(life: Any) -> None:
    created = life.made(life.job("first", labels={"keep": "1", "drop": "2"}))
    record = patched(life, "first", labels={"drop": None, "new": "3"}, annotations={"why": "x"})
    assert record.labels == {"keep": "1", "new": "3"}
    assert record.annotations == {"why": "x"}
    assert (record.generation, record.version) == (1, 2)
    assert reasons(life, created.uid) == ["Changed"]


def test_lists_find_a_job_by_its_new_labels_only(life: Any) -> None:
    life.made(life.job("first", labels={"team": "old"}))
    patched(life, "first", labels={"team": "new"})
    names = {
        team: [job.name for job in list_jobs(life.db, JobQuery(labels=(("team", team),))).items]
        for team in ("old", "new")
    }
    assert names == {"old": [], "new": ["first"]}


def test_a_final_job_takes_labels_and_time_to_live(life: Any) -> None:
    created = life.made("first")
    life.reach(created.uid, JobPhase.SUCCEEDED)
    record = patched(life, "first", ttl_seconds_after_finished=60, labels={"a": "b"})
    assert (record.spec.ttl_seconds_after_finished, record.labels) == (60, {"a": "b"})


def test_several_changes_make_one_event_beside_that_of_the_state(life: Any) -> None:
    created = life.made("first")
    patched(life, "first", desired_state="Paused", priority="high", labels={"a": "b"})
    assert reasons(life, created.uid) == ["PauseRequested", "Changed"]
    changed = events_after(life.db, created.uid, after=0, limit=10)[-1]
    assert changed.actor == "bob"
    assert changed.payload["changes"] == {"priority": "high", "labels": {"a": "b"}}


def test_a_stale_version_changes_nothing(life: Any) -> None:
    created = life.made("first")
    changes = JobChanges(priority="high")
    record = patch_job(
        life.db, "first", changes, actor="bob", now=life.now, if_version=created.version
    )
    with pytest.raises(StaleVersionError, match="version 2, got 1; read the job again"):
        patch_job(life.db, "first", changes, actor="bob", now=life.now, if_version=1)
    assert get_job(life.db, "first") == record


def test_only_the_newest_job_of_a_name_is_changed(life: Any) -> None:
    first = life.made("first")
    life.reach(first.uid, JobPhase.FAILED)
    second = life.made("first")
    assert patched(life, "first", priority="high").uid == second.uid


def test_deletion_is_asked_for_once(life: Any) -> None:
    created = life.made("first")
    record = request_deletion(life.db, "first", actor="bob", now=life.now)
    assert (record.deletion_requested, record.version) == (life.now, 2)
    assert request_deletion(life.db, "first", actor="ann", now=life.now) == record
    assert reasons(life, created.uid) == ["DeletionRequested"]


def test_a_released_job_is_over(life: Any) -> None:
    created = life.made("first")
    request_deletion(life.db, "first", actor="bob", now=life.now)
    mark_released(life.db, created.uid, life.now)
    with pytest.raises(NotAllowedNowError, match="when a job is over"):
        patched(life, "first", desired_state="Paused")


def test_an_unknown_job_is_neither_changed_nor_deleted(db: Database, life: Any) -> None:
    with pytest.raises(JobNotFoundError):
        patched(life, "absent", priority="high")
    with pytest.raises(JobNotFoundError):
        request_deletion(db, "absent", actor="bob", now=life.now)


def test_the_spec_keeps_its_names_of_the_wire(life: Any) -> None:
    before = json.loads(life.made("first").spec_json)
    after = json.loads(patched(life, "first", priority="high").spec_json)
    assert after == {**before, "priority": "high"}
