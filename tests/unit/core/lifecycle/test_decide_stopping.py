"""Pause, cancel, deletion and deadlines: asked first, by force after the grace, then at rest."""

from collections.abc import Callable
from typing import Any

import pytest

from vppo_core.lifecycle.actions import DeleteAttempt, Plan, RequestStop, StartAttempt
from vppo_core.lifecycle.decide import decide
from vppo_core.spec.status import (
    Condition,
    ConditionType,
    FailureClass,
    JobPhase,
    Outcome,
    VPPOJobStatus,
)

Reasons = Callable[[Plan], list[str]]
GRACE = 300
PAUSED = {"desiredState": "Paused"}
CANCELLED = {"desiredState": "Cancelled"}
ACTIVE = {"activeDeadlineSeconds": 60}
PENDING = {"pendingDeadlineSeconds": 60}


def condition(status: VPPOJobStatus, kind: ConditionType) -> Condition:
    return next(one for one in status.conditions if one.type is kind)


WISHES = [
    pytest.param({"spec": PAUSED}, "Paused", JobPhase.PAUSED, id="pause"),
    pytest.param({"spec": CANCELLED}, "Cancelled", JobPhase.CANCELLED, id="cancel"),
    pytest.param({"deletion_requested": True}, "Deleted", JobPhase.CANCELLED, id="deletion"),
    pytest.param({"spec": ACTIVE}, "Deadline", JobPhase.FAILED, id="active-deadline"),
    pytest.param({"spec": PENDING}, "Deadline", JobPhase.FAILED, id="pending-deadline"),
]


def facts_of(make: Any, wish: dict[str, Any]) -> dict[str, Any]:
    return {**wish, **({"deletion_requested": make.at(90)} if "deletion_requested" in wish else {})}


@pytest.mark.parametrize(("wish", "reason", "phase"), WISHES)
def test_a_live_attempt_is_asked_then_forced_then_gone(
    make: Any, wish: dict[str, Any], reason: str, phase: JobPhase
) -> None:
    facts = facts_of(make, wish)
    asked = decide(make.observed(make.live(), now=100, **facts))
    until = make.at(100 + GRACE)
    assert asked.actions == (RequestStop(index=1, reason=reason, deadline=until),)
    assert asked.status.phase is JobPhase.STOPPING
    assert asked.requeue_after_seconds == GRACE

    stop = (100, reason)
    waits = decide(
        make.observed(make.live(stop=stop), now=100 + GRACE - 1, status=asked.status, **facts)
    )
    assert waits.actions == asked.actions
    assert waits.requeue_after_seconds == 1
    assert waits.events == ()

    forced = decide(
        make.observed(make.live(stop=stop), now=100 + GRACE, status=waits.status, **facts)
    )
    assert forced.actions == (DeleteAttempt(index=1, reason=reason),)

    over = decide(make.observed(make.gone(stop=stop), now=405, status=forced.status, **facts))
    assert over.status.phase is phase
    assert [event.reason for event in over.events] == ["AttemptStopped", phase.value]
    (attempt,) = over.attempts
    assert attempt.outcome is Outcome.STOPPED
    assert attempt.charged is (reason == "Deadline")


@pytest.mark.parametrize("until", [0, 250])
def test_the_grace_counts_from_the_first_request(make: Any, until: int) -> None:
    plan = decide(make.observed(make.live(stop=(until, "Paused")), now=280, spec=PAUSED))
    assert plan.actions == (RequestStop(index=1, reason="Paused", deadline=make.at(until + GRACE)),)


def test_a_stop_is_carried_through_though_the_job_was_resumed_meanwhile(make: Any) -> None:
    live = make.live(stop=(50, "Paused"))
    plan = decide(make.observed(live, status=make.after(live, spec=PAUSED)))
    assert plan.status.phase is JobPhase.STOPPING
    assert plan.actions == (RequestStop(index=1, reason="Paused", deadline=make.at(50 + GRACE)),)
    gone = make.gone(1, Outcome.STOPPED, stop=(50, "Paused"))
    assert decide(make.observed(gone, status=plan.status)).actions == (
        StartAttempt(index=2, resume=True),
    )


def test_cancelling_overtakes_a_pause_that_is_under_way(make: Any) -> None:
    plan = decide(make.observed(make.live(stop=(50, "Paused")), spec=CANCELLED))
    assert plan.actions == (RequestStop(index=1, reason="Cancelled", deadline=make.at(350)),)


@pytest.mark.parametrize(("wish", "reason", "phase"), WISHES)
def test_success_wins_over_a_stop_under_way(
    make: Any, wish: dict[str, Any], reason: str, phase: JobPhase
) -> None:
    attempt = make.gone(1, Outcome.SUCCEEDED, stop=(90, reason), last_step=200)
    plan = decide(make.observed(attempt, **facts_of(make, wish)))
    assert plan.status.phase is JobPhase.SUCCEEDED is not phase
    assert plan.attempts[0].failure_class is None


def test_a_failure_while_it_was_asked_to_stop_is_not_charged(make: Any) -> None:
    attempt = make.gone(1, Outcome.FAILED, FailureClass.NETWORK, stop=(50, "Paused"))
    plan = decide(make.observed(attempt, spec={**PAUSED, "scheduling": {"maxAttempts": 1}}))
    assert plan.status.phase is JobPhase.PAUSED
    assert plan.attempts[0].charged is False


def test_a_job_paused_after_its_fatal_failure_fails_when_it_is_resumed(make: Any) -> None:
    attempt = make.gone(1, Outcome.FAILED, FailureClass.USER_ERROR, message="no such model")
    paused = make.after(attempt, spec=PAUSED)
    assert paused.phase is JobPhase.PAUSED
    plan = decide(make.observed(attempt, status=paused))
    assert plan.status.phase is JobPhase.FAILED
    assert "no such model" in condition(plan.status, ConditionType.FAILED).message


def test_an_attempt_that_was_never_launched_is_closed_when_it_is_not_wanted(make: Any) -> None:
    plan = decide(make.observed(make.unlaunched(), spec=PAUSED))
    (attempt,) = plan.attempts
    assert (attempt.outcome, attempt.ended) == (Outcome.STOPPED, make.at(100))
    resumed = decide(make.observed(make.unlaunched(), status=plan.status))
    assert resumed.actions == (StartAttempt(index=2, resume=True),)


@pytest.mark.parametrize(
    ("saved", "reason"), [(None, "NoCheckpoint"), (10, "CheckpointSaved")], ids=["none", "saved"]
)
def test_a_paused_job_says_what_is_kept(make: Any, saved: int | None, reason: str) -> None:
    checkpoint = make.checkpoint(saved) if saved else None
    status = make.after(make.gone(1, Outcome.STOPPED), spec=PAUSED, checkpoint=checkpoint)
    assert condition(status, ConditionType.PAUSED).reason == reason
    assert status.checkpoint == checkpoint


def test_a_resumed_job_waits_for_its_turn(make: Any, reasons: Reasons) -> None:
    attempt = make.gone(1, Outcome.STOPPED)
    plan = decide(make.observed(attempt, queue=make.waits, status=make.after(attempt, spec=PAUSED)))
    assert plan.status.phase is JobPhase.QUEUED
    assert reasons(plan) == ["Resumed", "Queued"]
    assert condition(plan.status, ConditionType.PAUSED).reason == "Resumed"


def test_running_time_is_summed_over_all_attempts(make: Any) -> None:
    first = make.gone(1, Outcome.STOPPED, ended=make.at(40))
    second = make.live(2, created=make.at(1000))
    before = decide(make.observed(first, second, now=1019, spec=ACTIVE))
    assert before.status.phase is JobPhase.STARTING
    assert before.requeue_after_seconds == 1
    after = decide(make.observed(first, second, now=1020, spec=ACTIVE))
    assert after.status.phase is JobPhase.STOPPING


def test_a_clock_that_went_back_does_not_shorten_the_running_time(make: Any) -> None:
    first = make.gone(1, Outcome.STOPPED, ended=make.at(59))
    second = make.live(2, created=make.at(5000))
    plan = decide(make.observed(first, second, now=100, spec=ACTIVE))
    assert plan.requeue_after_seconds == 1


def test_a_deadline_raised_in_time_lets_the_attempt_go_on(make: Any) -> None:
    plan = decide(make.observed(make.live(), spec={"activeDeadlineSeconds": 101}))
    assert plan.actions == ()
    assert plan.requeue_after_seconds == 1


def test_a_deadline_is_never_retried(make: Any, reasons: Reasons) -> None:
    stopped = make.gone(1, Outcome.STOPPED, stop=(70, "Deadline"))
    plan = decide(make.observed(stopped, spec={"activeDeadlineSeconds": 6000}))
    assert plan.status.phase is JobPhase.FAILED
    assert plan.attempts[0].failure_class is FailureClass.DEADLINE
    assert condition(plan.status, ConditionType.FAILED).reason == "Deadline"
    assert reasons(plan) == ["AttemptStopped", "DeadlineExceeded", "Failed"]


def test_a_deadline_in_the_back_off_ends_the_job(make: Any, reasons: Reasons) -> None:
    failed = make.gone(1, Outcome.FAILED, FailureClass.NETWORK, ended=make.at(99))
    plan = decide(make.observed(failed, spec=ACTIVE))
    assert plan.status.phase is JobPhase.FAILED
    assert "DeadlineExceeded" in reasons(plan)
    assert "activeDeadlineSeconds" in condition(plan.status, ConditionType.FAILED).message


def test_a_fatal_failure_is_named_rather_than_the_deadline_it_passed(make: Any) -> None:
    failed = make.gone(1, Outcome.FAILED, FailureClass.DATA_ERROR, ended=make.at(99))
    plan = decide(make.observed(failed, spec=ACTIVE))
    assert condition(plan.status, ConditionType.FAILED).reason == "DataError"


@pytest.mark.parametrize(
    ("facts", "phase"),
    [
        pytest.param({"queue": True}, JobPhase.FAILED, id="waiting-in-the-queue"),
        pytest.param({"queue": True, "spec": PAUSED}, JobPhase.PAUSED, id="not-while-paused"),
        pytest.param({"now": 59}, JobPhase.STARTING, id="a-second-before"),
    ],
)
def test_the_first_step_is_awaited_so_long(
    make: Any, facts: dict[str, Any], phase: JobPhase
) -> None:
    facts = {**facts, "spec": {**PENDING, **facts.get("spec", {})}}
    if facts.pop("queue", False):
        facts["queue"] = make.waits
    assert decide(make.observed(**facts)).status.phase is phase


def test_the_first_step_ends_the_pending_deadline_for_good(make: Any) -> None:
    stepped = make.gone(1, Outcome.STOPPED, started=make.at(30), last_step=1)
    plan = decide(make.observed(stepped, spec=PENDING, queue=make.waits, now=9999))
    assert plan.status.phase is JobPhase.QUEUED
    assert plan.requeue_after_seconds is None


def test_the_pending_deadline_counts_anew_from_a_resumption(make: Any) -> None:
    paused = make.after(spec={**PENDING, **PAUSED})
    resumed = decide(make.observed(status=paused, spec=PENDING, queue=make.waits, now=5000))
    assert resumed.status.phase is JobPhase.QUEUED
    assert resumed.requeue_after_seconds == 60
    for now, phase in ((5059, JobPhase.QUEUED), (5060, JobPhase.FAILED)):
        later = make.observed(status=resumed.status, spec=PENDING, queue=make.waits, now=now)
        assert decide(later).status.phase is phase


def test_an_attempt_that_said_its_last_word_has_the_grace_to_go(make: Any) -> None:
    live = make.live(outcome=Outcome.SUCCEEDED, ended=make.at(100))
    status = make.after(make.live(), progress=make.progress(199, at_second=9))
    waits = decide(make.observed(live, status=status, now=399))
    assert (waits.status.phase, waits.actions) == (JobPhase.RUNNING, ())
    assert waits.attempts[0].ended is None
    forced = decide(make.observed(live, status=status, now=400))
    assert forced.actions == (DeleteAttempt(index=1, reason="Lingering"),)
    gone = make.gone(1, Outcome.SUCCEEDED, ended=make.at(100))
    assert decide(make.observed(gone, status=status, now=401)).status.phase is JobPhase.SUCCEEDED


def test_an_attempt_that_was_taken_for_lost_and_lives_is_ended_before_the_next(make: Any) -> None:
    lost = decide(make.observed(make.gone(), queue=make.waits, now=10))
    assert lost.status.phase is JobPhase.QUEUED
    plan = decide(make.observed(make.live(), status=lost.status, now=400))
    assert plan.actions == (DeleteAttempt(index=1, reason="Lingering"),)
    assert plan.attempts[0].outcome is Outcome.LOST
