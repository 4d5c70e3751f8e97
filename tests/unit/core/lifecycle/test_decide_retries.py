"""Failure classes: whose cost, whether again, when, and when no more."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from vppo_core.lifecycle.actions import Plan, StartAttempt
from vppo_core.lifecycle.decide import decide
from vppo_core.lifecycle.failures import backoff_seconds, is_charged
from vppo_core.spec.status import ConditionType, FailureClass, JobPhase, Outcome

Reasons = Callable[[Plan], list[str]]
F = FailureClass


@pytest.mark.parametrize(
    ("failure", "charged", "phase", "halved"),
    [
        pytest.param(F.USER_ERROR, True, JobPhase.FAILED, False, id="user-error"),
        pytest.param(F.DATA_ERROR, True, JobPhase.FAILED, False, id="data-error"),
        pytest.param(F.OUT_OF_MEMORY, True, JobPhase.RETRYING, True, id="out-of-memory"),
        pytest.param(F.PREEMPTED, False, JobPhase.STARTING, False, id="preempted"),
        pytest.param(F.NODE_LOST, False, JobPhase.STARTING, False, id="node-lost"),
        pytest.param(F.NETWORK, True, JobPhase.RETRYING, False, id="network"),
        pytest.param(F.START_TIMEOUT, False, JobPhase.FAILED, False, id="start-timeout"),
        pytest.param(F.DEADLINE, True, JobPhase.FAILED, False, id="deadline"),
        pytest.param(F.RENDERING, False, JobPhase.FAILED, False, id="rendering"),
        pytest.param(F.APP_FAILED, True, JobPhase.RETRYING, False, id="app-failed"),
    ],
)
def test_a_failure_class_has_its_cost_and_its_sequel(
    make: Any, failure: FailureClass, charged: bool, phase: JobPhase, halved: bool
) -> None:
    attempt = make.gone(1, Outcome.FAILED, failure, ended=make.at(100), message="why")
    first = decide(make.observed(attempt))
    assert first.attempts[0].charged is charged
    assert first.status.phase is phase
    if phase is JobPhase.FAILED:
        failed = next(one for one in first.status.conditions if one.type is ConditionType.FAILED)
        assert failed.reason == failure.value
        return
    wait = backoff_seconds("u-1", 1) if charged else 0.0
    assert first.requeue_after_seconds == pytest.approx(wait or None, abs=1e-5)
    later = decide(make.observed(attempt, now=100 + wait + 0.01, status=first.status))
    if phase is JobPhase.RETRYING:
        start = StartAttempt(index=2, resume=True, halve_micro_batch=halved)
        assert later.actions == (start,)
    else:
        assert first.actions == (StartAttempt(index=2, resume=True),)


def failures(make: Any, *classes: FailureClass, ended: float = 50, **record: Any) -> list[Any]:
    """Attempts that ended so, as they stand in the books."""
    outcome = {F.NODE_LOST: Outcome.LOST}
    return [
        make.gone(
            index,
            outcome.get(failure, Outcome.FAILED),
            failure,
            ended=make.at(ended),
            charged=is_charged(failure),
            **record,
        )
        for index, failure in enumerate(classes, 1)
    ]


@pytest.mark.parametrize(
    ("classes", "phase"),
    [
        pytest.param([F.NETWORK] * 2, JobPhase.STARTING, id="one-left"),
        pytest.param([F.NETWORK] * 3, JobPhase.FAILED, id="spent"),
        pytest.param([F.NETWORK, F.PREEMPTED, F.NODE_LOST], JobPhase.STARTING, id="free-ones"),
        pytest.param([F.OUT_OF_MEMORY, F.NETWORK], JobPhase.STARTING, id="one-out-of-memory"),
        pytest.param([F.OUT_OF_MEMORY] * 2, JobPhase.FAILED, id="out-of-memory-twice"),
        pytest.param(
            [F.OUT_OF_MEMORY, F.PREEMPTED, F.OUT_OF_MEMORY], JobPhase.FAILED, id="not-in-a-row"
        ),
    ],
)
def test_only_charged_failures_use_up_the_budget(
    make: Any, classes: list[FailureClass], phase: JobPhase
) -> None:
    plan = decide(make.observed(*failures(make, *classes), now=9999))
    assert plan.status.phase is phase


def test_the_message_says_that_the_budget_is_spent(make: Any) -> None:
    plan = decide(make.observed(*failures(make, F.NETWORK, message="timed out"), now=9999))
    assert plan.status.phase is JobPhase.STARTING
    once = {"scheduling": {"maxAttempts": 1}}
    plan = decide(make.observed(*failures(make, F.NETWORK, message="timed out"), spec=once))
    assert plan.events[-1].message == (
        "Network: Attempt 1 failed (Network) (scheduling.maxAttempts 1 is used up): timed out."
    )


def test_the_micro_batch_stays_halved_after_running_out_of_memory(make: Any) -> None:
    plan = decide(make.observed(*failures(make, F.OUT_OF_MEMORY, F.PREEMPTED), now=9999))
    assert plan.actions == (StartAttempt(index=3, resume=True, halve_micro_batch=True),)


def test_a_micro_batch_of_one_token_cannot_be_halved(make: Any) -> None:
    spec = {"learner": {"maxTokensPerMicroBatch": 1}}
    plan = decide(make.observed(*failures(make, F.OUT_OF_MEMORY), spec=spec, now=9999))
    assert plan.status.phase is JobPhase.FAILED


@pytest.mark.parametrize(
    ("ends", "charged"),
    [
        pytest.param([50.0] * 9, False, id="tenth-of-a-day-is-free"),
        pytest.param([50.0] * 10, True, id="eleventh-is-not"),
        pytest.param([50.0] * 5 + [-86_400.0] * 5, False, id="yesterday-does-not-count"),
    ],
)
def test_lost_nodes_are_free_ten_times_a_day(make: Any, ends: list[float], charged: bool) -> None:
    early = [
        make.gone(i, Outcome.LOST, F.NODE_LOST, created=make.at(-1e5), ended=make.at(end))
        for i, end in enumerate(ends, 1)
    ]
    plan = decide(make.observed(*early, make.gone(len(ends) + 1)))
    last = plan.attempts[len(ends)]
    assert (last.failure_class, last.charged) == (F.NODE_LOST, charged)
    assert plan.status.phase is (JobPhase.RETRYING if charged else JobPhase.STARTING)


def test_a_job_that_always_vanishes_fails_in_the_end(make: Any) -> None:
    states: list[Any] = []
    status = make.after(queue=make.waits, now=0)
    for second in range(0, 86_400, 700):
        plan = decide(make.observed(*states, status=status, now=second))
        status = plan.status
        if status.phase.is_final:
            break
        states = [make.gone(**one.model_dump(exclude_none=True)) for one in plan.attempts]
    assert status.phase is JobPhase.FAILED
    assert status.attempt == 13  # ten are free, three are the budget


def test_a_lost_attempt_keeps_what_it_saved_after_its_last_word(make: Any) -> None:
    status = make.after(make.live(), progress=make.progress(7, at_second=9))
    plan = decide(
        make.observed(make.gone(), status=status, checkpoint=make.checkpoint(10, at_second=60))
    )
    lost, following = plan.attempts
    assert (lost.last_step, lost.checkpoint_step, lost.started) == (10, 10, make.at(9))
    assert (following.first_step, following.last_step) == (10, 10)


def test_a_checkpoint_of_an_earlier_attempt_is_not_credited_to_a_later_one(make: Any) -> None:
    first = make.gone(1, Outcome.FAILED, F.NETWORK, ended=make.at(50))
    old = make.checkpoint(10, at_second=40)
    second = make.live(2, created=make.at(60), first_step=5, last_step=5)
    plan = decide(make.observed(first, second, checkpoint=old, progress=make.progress(6)))
    assert plan.attempts[1].checkpoint_step == 0
    assert plan.attempts[1].last_step == 6


def test_the_wait_is_looked_at_again_when_it_is_over(make: Any) -> None:
    attempts = failures(make, F.NETWORK, F.NETWORK, ended=99)
    plan = decide(make.observed(*attempts))
    wait = backoff_seconds("u-1", 2)
    assert plan.requeue_after_seconds == pytest.approx(wait - 1, abs=1e-5)


def test_half_an_hour_of_progress_begins_a_new_row_of_failures(make: Any) -> None:
    def retried(progress_seconds: float) -> datetime:
        start = 5000 - progress_seconds
        (first,) = failures(make, F.NETWORK, ended=10)
        second = make.gone(
            2, Outcome.FAILED, F.NETWORK, started=make.at(start), ended=make.at(5000), last_step=3
        )
        plan = decide(make.observed(first, second, now=5000))
        assert plan.requeue_after_seconds is not None
        found: datetime = make.at(5000 + plan.requeue_after_seconds)
        return found

    second = timedelta(microseconds=10)
    assert abs(retried(1800) - make.at(5000 + backoff_seconds("u-1", 1))) < second
    assert abs(retried(1799) - make.at(5000 + backoff_seconds("u-1", 2))) < second


def test_a_clock_that_went_back_does_not_make_the_back_off_endless(make: Any) -> None:
    (attempt,) = failures(make, F.NETWORK, ended=5000)
    status = make.after(attempt, now=5000)
    assert status.phase is JobPhase.RETRYING
    assert decide(make.observed(attempt, status=status)).actions == (
        StartAttempt(index=2, resume=True),
    )


def test_a_failure_without_a_class_is_told_by_its_message(make: Any) -> None:
    attempt = make.gone(1, Outcome.FAILED, message="CUDA out of memory", exit_code=10)
    assert decide(make.observed(attempt)).attempts[0].failure_class is F.OUT_OF_MEMORY


def test_an_attempt_that_could_not_be_launched_is_not_retried(make: Any) -> None:
    never = make.unlaunched()
    said = never.record.model_copy(update={"outcome": Outcome.FAILED, "message": "no such file"})
    plan = decide(make.observed(type(never)(record=said, is_launched=False, is_live=False)))
    assert plan.attempts[0].failure_class is F.START_TIMEOUT
    assert plan.status.phase is JobPhase.FAILED


def test_the_end_and_the_wait_are_told(make: Any, reasons: Reasons) -> None:
    attempt = make.gone(1, Outcome.FAILED, F.NETWORK, message="peer gone", last_step=4)
    plan = decide(make.observed(attempt))
    assert reasons(plan) == ["AttemptFailed", "Retrying"]
    assert plan.events[0].message == ("Attempt 1 failed (Network) at step 4, charged: peer gone.")
    assert "attempt 2 starts after a wait of" in plan.events[1].message
