"""What is recorded of attempts: nothing known is lost, an end is written down once."""

from collections.abc import Callable
from typing import Any

import pytest

from vppo_core.lifecycle.actions import Plan
from vppo_core.lifecycle.decide import decide
from vppo_core.spec.status import FailureClass, JobPhase, Outcome, VPPOJobStatus

Reasons = Callable[[Plan], list[str]]
PAUSED = {"desiredState": "Paused"}


def test_two_live_attempts_are_told_once(make: Any, reasons: Reasons) -> None:
    both = (make.live(1), make.live(2))
    first = decide(make.observed(*both))
    assert [event.kind for event in first.events if event.reason == "TwoAttempts"] == ["Warning"]
    assert reasons(decide(make.observed(*both, status=first.status))) == []


def test_a_status_that_was_lost_is_made_again_from_the_attempts(make: Any) -> None:
    record = {"ended": make.at(50), "charged": True}
    attempt = make.gone(1, Outcome.FAILED, FailureClass.NETWORK, **record)
    plan = decide(make.observed(attempt, make.live(2), status=VPPOJobStatus()))
    assert [one.index for one in plan.status.attempts] == [1, 2]
    assert plan.attempts[0] == attempt.record


def test_a_launcher_that_knows_less_than_before_takes_nothing_away(make: Any) -> None:
    live = make.live(started=make.at(5), last_step=7, checkpoint_step=5, gpus=2)
    plan = decide(make.observed(make.live(), status=make.after(live)))
    assert plan.attempts == (live.record,)


@pytest.mark.parametrize(
    ("ended", "recorded"),
    [(50, 50), (9999, 100), (-50, 0)],
    ids=["as-it-says", "not-in-the-future", "not-before-its-creation"],
)
def test_an_end_lies_between_creation_and_now(make: Any, ended: float, recorded: float) -> None:
    attempt = make.gone(1, Outcome.STOPPED, ended=make.at(ended))
    assert decide(make.observed(attempt, spec=PAUSED)).attempts[0].ended == make.at(recorded)


def test_an_earlier_attempt_that_ends_beside_the_last_one_is_not_charged(make: Any) -> None:
    status = make.after(make.live(1))
    earlier = make.gone(1, Outcome.FAILED, FailureClass.NETWORK)
    plan = decide(make.observed(earlier, make.live(2), status=status))
    assert (plan.attempts[0].outcome, plan.attempts[0].charged) == (Outcome.FAILED, False)


def test_an_earlier_attempt_that_was_never_launched_is_closed(make: Any) -> None:
    plan = decide(make.observed(make.unlaunched(1), make.live(2)))
    assert (plan.attempts[0].outcome, plan.attempts[0].ended) == (Outcome.STOPPED, make.at(100))


def test_an_attempt_that_only_the_status_knows_is_not_forgotten(make: Any) -> None:
    status = make.after(make.gone(1, Outcome.STOPPED), spec=PAUSED)
    plan = decide(make.observed(status=status, spec=PAUSED))
    assert plan.attempts == status.attempts


def test_waiting_for_machines_is_no_running_time(make: Any) -> None:
    """On a cluster an attempt exists before it has its machines."""
    spec = {"activeDeadlineSeconds": 60}
    waits = decide(make.observed(make.live(), queue=make.waits, spec=spec))
    assert waits.attempts[0].waiting
    assert waits.status.usage.gpu_seconds_allocated == 0
    assert waits.status.phase is JobPhase.QUEUED, "no deadline is over: it did not run"
    admitted = decide(make.observed(make.live(), status=waits.status))
    assert (admitted.attempts[0].waiting, admitted.attempts[0].admitted) == (False, make.at(100))
