"""One sentence for each thing that a job can be doing, with its facts and what may be done."""

from collections.abc import Callable
from typing import Any

import pytest

from vppo_core.lifecycle.decide import decide
from vppo_core.lifecycle.explain import explain
from vppo_core.lifecycle.observed import QueueState
from vppo_core.spec.status import FailureClass, JobPhase, Outcome, QueueStatus, VPPOJobStatus

Facts = Callable[[Any], Any]
PAUSED = {"desiredState": "Paused"}


def queue(position: int = 0, *blockers: str, name: str = "default", **facts: Any) -> QueueState:
    place = QueueStatus(name=name, pool="local", position=position, reason="WaitingForQuota")
    return QueueState(is_admitted=False, status=place, blockers=blockers, **facts)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        pytest.param(
            queue(1, "a-7f3k2", needs="the pool 'local'"),
            "Waiting for the pool 'local': job a-7f3k2 holds it; position 1 (queue 'default'); "
            "wait for it.",
            id="next-in-line",
        ),
        pytest.param(
            queue(2, "a-7f3k2", needs="the pool 'local'"),
            "Waiting for the pool 'local': job a-7f3k2 holds it; position 2 (queue 'default'); "
            "raise priority or wait for it.",
            id="second-in-line",
        ),
        pytest.param(
            queue(3, "a", "b", needs="24 x H100", free="16 x H100", name="gpu"),
            "Waiting for 24 x H100, 16 x H100 free: jobs a and b hold it; position 3 "
            "(queue 'gpu'); raise priority or wait for them.",
            id="quota-of-a-cluster",
        ),
        pytest.param(
            queue(0, "a", "b", "c", "d", "e"),
            "Waiting for the pool 'local': jobs a, b, c and 2 more hold it; wait for them.",
            id="many-hold-it-and-no-position-is-known",
        ),
        pytest.param(
            queue(2),
            "Waiting for the pool 'local': position 2 (queue 'default'); raise priority or wait.",
            id="nobody-holds-it",
        ),
        pytest.param(QueueState(is_admitted=False), "Waiting for its turn.", id="nothing-is-known"),
        pytest.param(
            queue(trouble="the platform has no pool 'big'"),
            "The platform has no pool 'big'.",
            id="it-will-never-start",
        ),
    ],
)
def test_a_waiting_job_says_for_what(make: Any, state: QueueState, expected: str) -> None:
    observed = make.observed(queue=state)
    status = decide(observed).status
    found = explain(make.observed(queue=state, status=status))
    assert found.sentence == expected
    assert bool(found.causes) is bool(state.blockers or state.trouble)


FAILED = (1, Outcome.FAILED, FailureClass.NETWORK)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        pytest.param(
            lambda make: make.observed(make.live(), now=140),
            "Attempt 1 has been starting for 2 min: its driver has not said a word yet.",
            id="starting",
        ),
        pytest.param(
            lambda make: make.observed(make.live(), progress=make.progress(0, stage="starting")),
            "Attempt 1 has been starting for 100 s: stage 'starting'.",
            id="loading",
        ),
        pytest.param(
            lambda make: make.observed(make.live(), progress=make.progress(12), now=104),
            "Training: step 12, stage 'sample'; last word 4 s ago.",
            id="running",
        ),
        pytest.param(
            lambda make: make.observed(
                make.live(),
                progress=make.progress(12, display="12/200", eta_seconds=7500),
                now=104,
            ),
            "Training: step 12/200, stage 'sample'; last word 4 s ago; about 2 h 5 min left.",
            id="running-with-an-estimate",
        ),
        pytest.param(
            lambda make: make.observed(make.live(), progress=make.progress(12), now=2200),
            "No progress for 35 min: step 12, stage 'sample'.",
            id="no-progress",
        ),
        pytest.param(
            lambda make: make.observed(make.live(stop=(40, "Paused")), spec=PAUSED),
            "Attempt 1 finishes its step and saves (Paused); it is ended by force at "
            "2026-11-25 12:05:40 UTC.",
            id="stopping",
        ),
        pytest.param(
            lambda make: make.observed(make.live(), spec=PAUSED),
            "Attempt 1 is asked to stop.",
            id="about-to-stop",
        ),
        pytest.param(
            lambda make: make.observed(make.gone(*FAILED, ended=make.at(99), message="peer")),
            "Attempt 1 failed (Network); attempt 2 starts after a wait of 5 s, at "
            "2026-11-25 12:01:43 UTC.",
            id="retrying",
        ),
        pytest.param(
            lambda make: make.observed(make.gone(1, Outcome.STOPPED), spec=PAUSED),
            "Paused at step 0; there is no checkpoint, it would begin anew.",
            id="paused-without-a-checkpoint",
        ),
        pytest.param(
            lambda make: make.observed(
                make.gone(1, Outcome.STOPPED),
                spec=PAUSED,
                checkpoint=make.checkpoint(10),
                progress=make.progress(12),
            ),
            "Paused at step 12/200; the checkpoint of step 10 is kept.",
            id="paused",
        ),
        pytest.param(
            lambda make: make.observed(
                make.gone(1, Outcome.SUCCEEDED), progress=make.progress(200)
            ),
            "Succeeded at step 200/200 in 1 attempt.",
            id="succeeded",
        ),
        pytest.param(
            lambda make: make.observed(spec={"desiredState": "Cancelled"}),
            "Cancelled at step 0.",
            id="cancelled",
        ),
        pytest.param(
            lambda make: make.observed(),
            "The first attempt starts in a moment.",
            id="start-decided-but-not-recorded",
        ),
    ],
)
def test_a_job_says_what_it_does(make: Any, facts: Facts, expected: str) -> None:
    observed = facts(make)
    assert explain(_with_status(observed)).sentence == expected


@pytest.mark.parametrize("failure", FailureClass)
def test_a_failed_job_says_why_and_what_may_be_done(make: Any, failure: FailureClass) -> None:
    once = {"scheduling": {"maxAttempts": 1}}
    attempt = make.gone(1, Outcome.FAILED, failure, message="the last word")
    observed = _with_status(make.observed(attempt, spec=once))
    if observed.status.phase is not JobPhase.FAILED:
        assert failure in (FailureClass.PREEMPTED, FailureClass.NODE_LOST)
        return
    found = explain(observed)
    assert found.sentence.startswith(f"Failed ({failure.value}): ")
    assert found.hint
    assert [cause.reason for cause in found.causes] == [failure.value]
    if failure is not FailureClass.DEADLINE:
        assert "the last word" in found.sentence


def test_a_sentence_about_waiting_does_not_age(make: Any) -> None:
    attempt = make.gone(*FAILED, ended=make.at(99))
    status = decide(make.observed(attempt)).status
    sentences = {
        explain(make.observed(attempt, status=status, now=now)).sentence for now in (99, 101, 500)
    }
    assert len(sentences) == 1


def test_a_deleted_job_says_so_while_it_ends(make: Any) -> None:
    live = make.live(stop=(90, "Deleted"))
    found = explain(_with_status(make.observed(live, deletion_requested=make.at(90))))
    assert found.causes[-1].reason == "Deleted"


def test_a_new_job_is_looked_at_in_a_moment(make: Any) -> None:
    assert "in a moment" in explain(make.observed()).sentence


@pytest.mark.parametrize("phase", JobPhase)
def test_any_phase_can_be_explained_whatever_is_known(make: Any, phase: JobPhase) -> None:
    for attempts in ((), (make.live(),), (make.gone(*FAILED),), (make.unlaunched(),)):
        found = explain(make.observed(*attempts, status=VPPOJobStatus(phase=phase)))
        assert found.sentence.endswith(".")


def _with_status(observed: Any) -> Any:
    """The same facts after a pass, as a reader of the explanation finds them."""
    fields = {name: getattr(observed, name) for name in type(observed).__dataclass_fields__}
    return type(observed)(**{**fields, "status": decide(observed).status})
