"""Events: one for each transition, none while nothing changes."""

from collections.abc import Callable
from typing import Any

from vppo_core.lifecycle.actions import Plan
from vppo_core.lifecycle.decide import decide
from vppo_core.spec.status import FailureClass, JobPhase, Outcome, VPPOJobStatus

Reasons = Callable[[Plan], list[str]]
PAUSED = {"desiredState": "Paused"}


def test_a_job_that_runs_through_tells_each_transition_once(make: Any, reasons: Reasons) -> None:
    done = make.gone(1, Outcome.SUCCEEDED, last_step=200)
    passes: list[tuple[list[Any], dict[str, Any]]] = [
        ([], {"queue": make.waits}),
        ([], {}),
        ([make.live()], {}),
        ([make.live()], {"progress": make.progress(1)}),
        ([make.live()], {"progress": make.progress(2)}),
        ([done], {"progress": make.progress(200)}),
    ]
    told, status = [], VPPOJobStatus()
    for now, (attempts, facts) in enumerate(passes):
        for _ in range(2):
            plan = decide(make.observed(*attempts, status=status, now=now, **facts))
            status = plan.status
            told.append(reasons(plan))
    assert told == [
        ["Queued"],
        [],
        ["AttemptStarted"],
        *[[]] * 3,
        ["Running"],
        *[[]] * 3,
        ["AttemptSucceeded", "Succeeded"],
        [],
    ]


def test_the_end_of_an_attempt_is_told_with_its_steps(make: Any) -> None:
    attempt = make.gone(1, Outcome.STOPPED, last_step=12, checkpoint_step=10)
    (ended, paused) = decide(make.observed(attempt, spec=PAUSED)).events
    assert ended.message == "Attempt 1 stopped at step 12, saved up to step 10."
    assert paused.message == "The job is paused. It would begin anew."


def test_the_start_from_a_checkpoint_is_told(make: Any) -> None:
    attempt = make.gone(1, Outcome.FAILED, FailureClass.OUT_OF_MEMORY, ended=make.at(1))
    status = make.after(attempt, now=2)
    plan = decide(make.observed(attempt, checkpoint=make.checkpoint(5), status=status, now=60))
    assert plan.events[-1].message == (
        "Attempt 2 starts from the checkpoint of step 5, "
        "with half of learner.maxTokensPerMicroBatch."
    )
    assert plan.status.phase is JobPhase.STARTING
