"""What an API needs of a store of jobs, held against that of a machine and that of a cluster."""

from typing import Any

import pytest

from vppo_core.archive.errors import (
    CursorMismatchError,
    IdempotencyConflictError,
    JobNotFoundError,
    NameTakenError,
    NotAllowedNowError,
    StaleVersionError,
)
from vppo_core.archive.records import IdempotencyKey, JobChanges, JobQuery
from vppo_core.errors import InvalidSpecError
from vppo_core.spec.origin import REQUEST_ID, request_of
from vppo_core.spec.status import JobPhase
from vppo_services.api.job_store import JobStore

KEY = IdempotencyKey(tenant="ann", key="k-1")


def test_it_is_a_job_store(either: Any) -> None:
    names = [name for name in vars(JobStore) if not name.startswith("_")]
    assert [name for name in names if not hasattr(either.store, name)] == []


def test_what_was_sent_can_be_read(either: Any, job_named: Any) -> None:
    job = job_named("a", labels={"team": "vision"}, annotations={"note": "first try"})
    made, is_replay = either.store.create(job, owner="ann")
    assert not is_replay
    found = either.store.get("a")
    assert (found.uid, found.owner, found.namespace) == (made.uid, "ann", "default")
    assert (found.labels, found.annotations) == ({"team": "vision"}, {"note": "first try"})
    assert found.spec == job.spec
    assert (found.phase, found.generation) == (JobPhase.PENDING, 1)
    assert either.store.get("a", uid=made.uid) == found


def test_a_job_carries_the_request_that_made_it(either: Any, job_named: Any) -> None:
    forged = job_named("a", annotations={"note": "x", REQUEST_ID: "of-another"})
    either.store.create(forged, owner="ann", idempotency=KEY, request_id="build-7")
    assert either.store.get("a").annotations == {"note": "x", REQUEST_ID: "build-7"}
    again, is_replay = either.store.create(
        forged, owner="ann", idempotency=KEY, request_id="build-8"
    )
    assert is_replay
    assert request_of(again.annotations) == "build-7"
    either.store.patch("a", JobChanges(annotations=dict(again.annotations)), actor="ann")
    full = {str(number): "" for number in range(64)}
    either.store.create(job_named("b", annotations=full), owner="ann", request_id="build-9")
    assert either.store.get("b").job.metadata.annotations == full


def test_a_job_without_a_name_gets_one_after_its_model(either: Any, job_named: Any) -> None:
    names = {either.store.create(job_named(), owner="ann")[0].name for _ in range(3)}
    assert len(names) == 3
    assert {name.partition("-")[0] for name in names} == {"tiny"}


def test_a_repeated_request_is_one_job(either: Any, job_named: Any) -> None:
    first, replayed = either.store.create(job_named(), owner="ann", idempotency=KEY)
    again, is_replay = either.store.create(job_named(), owner="ann", idempotency=KEY)
    assert (replayed, is_replay, again.uid) == (False, True, first.uid)
    with pytest.raises(IdempotencyConflictError):
        either.store.create(job_named(seed=1), owner="ann", idempotency=KEY)
    other = IdempotencyKey(tenant="bob", key="k-1")
    assert either.store.create(job_named(), owner="bob", idempotency=other)[0].uid != first.uid


def test_a_repeated_request_is_known_when_the_job_is_over_and_gone(
    either: Any, job_named: Any
) -> None:
    first, _ = either.store.create(job_named("a"), owner="ann", idempotency=KEY)
    either.set_phase("a", JobPhase.SUCCEEDED)
    either.store.delete("a", actor="ann")
    either.let_go("a")
    again, is_replay = either.store.create(job_named("a"), owner="ann", idempotency=KEY)
    assert (is_replay, again.uid, again.phase) == (True, first.uid, JobPhase.SUCCEEDED)


def test_a_key_with_two_names_is_a_conflict(either: Any, job_named: Any) -> None:
    either.store.create(job_named("a"), owner="ann", idempotency=KEY)
    with pytest.raises(IdempotencyConflictError):
        either.store.create(job_named("b"), owner="ann", idempotency=KEY)
    with pytest.raises(JobNotFoundError):
        either.store.get("b")


def test_a_living_name_is_taken(either: Any, job_named: Any) -> None:
    either.store.create(job_named("a"), owner="ann")
    with pytest.raises(NameTakenError, match=r"metadata\.name must not be that of .*'a'"):
        either.store.create(job_named("a"), owner="bob", idempotency=KEY)


def test_what_may_change_changes(either: Any, job_named: Any) -> None:
    job = job_named("a", activeDeadlineSeconds=600, labels={"team": "vision", "old": "1"})
    made, _ = either.store.create(job, owner="ann")
    either.settle()
    changes = JobChanges(
        desired_state="Paused",
        priority="high",
        active_deadline_seconds=900,
        ttl_seconds_after_finished=60,
        labels={"old": None, "new": "2"},
        annotations={"note": "later"},
    )
    after = either.store.patch("a", changes, actor="bob")
    assert after == either.store.get("a")
    assert after.spec.desired_state.value == "Paused"
    assert (after.spec.priority, after.spec.active_deadline_seconds) == ("high", 900)
    assert after.spec.ttl_seconds_after_finished == 60
    assert after.labels == {"team": "vision", "new": "2"}
    assert after.annotations == {"note": "later"}
    assert after.version > made.version
    assert after.generation == 2
    [paused] = [one for one in either.store.events(made.uid) if one.reason == "PauseRequested"]
    assert (paused.actor, paused.kind) == ("bob", "Audit")


def test_what_changes_nothing_is_no_change(either: Any, job_named: Any) -> None:
    made, _ = either.store.create(job_named("a", labels={"x": "1"}), owner="ann")
    changes = JobChanges(desired_state="Running", labels={"x": "1", "none": None})
    assert either.store.patch("a", changes, actor="ann").version == made.version


@pytest.mark.parametrize(
    ("before", "changes", "error"),
    [
        ({}, JobChanges(active_deadline_seconds=600), NotAllowedNowError),
        (
            {"activeDeadlineSeconds": 600},
            JobChanges(active_deadline_seconds=599),
            NotAllowedNowError,
        ),
        ({"desiredState": "Cancelled"}, JobChanges(desired_state="Running"), NotAllowedNowError),
        ({}, JobChanges(priority="urgent"), InvalidSpecError),
        ({}, JobChanges(ttl_seconds_after_finished=-1), InvalidSpecError),
    ],
)
def test_what_may_not_change_stays(
    either: Any, job_named: Any, before: Any, changes: JobChanges, error: type[Exception]
) -> None:
    made, _ = either.store.create(job_named("a", **before), owner="ann")
    with pytest.raises(error):
        either.store.patch("a", changes, actor="ann")
    assert either.store.get("a") == made


def test_a_finished_job_keeps_all_but_its_time_to_live(either: Any, job_named: Any) -> None:
    either.store.create(job_named("a"), owner="ann")
    either.settle()
    either.set_phase("a", JobPhase.FAILED)
    with pytest.raises(NotAllowedNowError, match="when a job is over, got Failed"):
        either.store.patch("a", JobChanges(desired_state="Paused"), actor="ann")
    after = either.store.patch("a", JobChanges(ttl_seconds_after_finished=60), actor="ann")
    assert after.spec.ttl_seconds_after_finished == 60


def test_a_change_of_an_old_version_is_refused(either: Any, job_named: Any) -> None:
    made, _ = either.store.create(job_named("a"), owner="ann")
    either.store.patch("a", JobChanges(labels={"x": "1"}), actor="ann")
    pause = JobChanges(desired_state="Paused")
    with pytest.raises(StaleVersionError):
        either.store.patch("a", pause, actor="ann", if_version=made.version)
    version = either.store.get("a").version
    after = either.store.patch("a", pause, actor="ann", if_version=version)
    assert after.spec.desired_state.value == "Paused"


def test_a_deleted_job_ends_and_its_name_is_free(either: Any, job_named: Any) -> None:
    first, _ = either.store.create(job_named("a"), owner="ann")
    either.settle()
    either.hold("a")
    asked = either.store.delete("a", actor="bob")
    assert asked.deletion_requested is not None
    assert either.store.delete("a", actor="ann").deletion_requested == asked.deletion_requested
    with pytest.raises(NameTakenError):
        either.store.create(job_named("a"), owner="ann")
    either.let_go("a")
    assert either.store.get("a").released is not None
    either.clock.pass_by(1)
    second, _ = either.store.create(job_named("a"), owner="ann")
    assert either.store.get("a").uid == second.uid != first.uid
    assert either.store.get("a", uid=first.uid).uid == first.uid
    assert [one.actor for one in either.store.events(first.uid)] == ["ann", "bob"]


def test_what_is_unknown_is_not_found(either: Any) -> None:
    for call in (
        lambda: either.store.get("none"),
        lambda: either.store.patch("none", JobChanges(priority="high"), actor="ann"),
        lambda: either.store.delete("none", actor="ann"),
        lambda: either.store.explain("none"),
        lambda: either.store.promote_checkpoint("none", 1, actor="ann"),
        lambda: either.store.manifest("none"),
        lambda: either.store.spotlight("none", 1),
        lambda: either.store.artifact_path("none", "report.html"),
        lambda: either.store.delete_webhook("none", actor="ann"),
    ):
        with pytest.raises(JobNotFoundError):
            call()


@pytest.mark.parametrize("is_settled", [True, False])
def test_lists_go_page_by_page_newest_first(either: Any, job_named: Any, is_settled: bool) -> None:
    for number in range(5):
        either.store.create(job_named(f"j{number}", labels={"n": str(number % 2)}), owner="ann")
        either.clock.pass_by(1)
        if number == 2 or is_settled:
            either.settle()
    seen, cursor = [], None
    while True:
        page = either.store.list_jobs(JobQuery(limit=2, cursor=cursor))
        seen += [one.name for one in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == ["j4", "j3", "j2", "j1", "j0"]
    page = either.store.list_jobs(JobQuery(limit=1))
    with pytest.raises(CursorMismatchError):
        either.store.list_jobs(JobQuery(limit=1, cursor=page.next_cursor, owner="ann"))


@pytest.mark.parametrize("is_settled", [True, False])
@pytest.mark.parametrize(
    ("query", "names"),
    [
        (JobQuery(owner="ann"), ["a"]),
        (JobQuery(queue="night"), ["b"]),
        (JobQuery(labels=(("team", "vision"),)), ["a"]),
        (JobQuery(annotations=(("note", "x"),)), ["b"]),
        (JobQuery(phases=(JobPhase.PENDING, JobPhase.RUNNING)), ["b", "a"]),
        (JobQuery(phases=(JobPhase.RUNNING,)), []),
        (JobQuery(name_contains="B"), ["b"]),
    ],
)
def test_lists_are_filtered(
    either: Any, job_named: Any, query: JobQuery, names: list[str], is_settled: bool
) -> None:
    either.store.create(job_named("a", labels={"team": "vision"}), owner="ann")
    either.clock.pass_by(1)
    night = job_named("b", scheduling={"queue": "night"}, annotations={"note": "x"})
    either.store.create(night, owner="bob")
    if is_settled:
        either.settle()
    assert [one.name for one in either.store.list_jobs(query).items] == names


def test_queues_count_jobs(either: Any, job_named: Any) -> None:
    for name in ("a", "b", "c"):
        either.store.create(job_named(name), owner="ann")
    either.settle()
    either.set_phase("b", JobPhase.RUNNING)
    either.set_phase("c", JobPhase.SUCCEEDED)
    either.clock.pass_by(2)
    assert either.store.queues() == [
        {"name": "default", "pool": "gpu", "waiting": 1, "running": 1},
        {"name": "night", "pool": "gpu", "waiting": 0, "running": 0},
    ]


def test_history_has_the_status_that_led_to_it(either: Any, job_named: Any) -> None:
    made, _ = either.store.create(job_named("a"), owner="ann")
    assert either.store.recorded(made).uid == made.uid
    either.settle()
    either.set_phase("a", JobPhase.RUNNING)
    assert either.store.recorded(made).phase is JobPhase.RUNNING


def test_the_platform_says_what_it_has_not(either: Any, job_named: Any) -> None:
    either.store.check(job_named())
    with pytest.raises(InvalidSpecError, match=r"scheduling\.queue must be one of"):
        either.store.check(job_named(scheduling={"queue": "nihgt"}))
    with pytest.raises(InvalidSpecError, match="did you mean 'high'"):
        either.store.check(job_named(priority="hihg"))


def test_webhooks_hear_of_jobs(either: Any, job_named: Any) -> None:
    hook = either.store.create_webhook("https://x/", secret="s" * 16, events=(), owner="ann")
    either.store.create(job_named("a"), owner="ann")
    either.settle()
    [(message, found, secret)] = either.store.due_deliveries(now=either.clock(), limit=9)
    assert (found.id, secret, '"Created"' in message.body) == (hook.id, "s" * 16, True)
    either.store.delete_webhook(hook.id, actor="ann")
    assert either.store.webhooks(owner="ann") == []


def test_ready_when_jobs_can_be_accepted(either: Any) -> None:
    either.store.ready()
