"""Each row of the table: what is wanted and what is there gives phase and actions."""

from collections.abc import Callable
from typing import Any

import pytest

from vppo_core.lifecycle.actions import (
    ArchiveJob,
    DeleteAttempt,
    ExpireJob,
    Plan,
    ReleaseJob,
    RequestStop,
    StartAttempt,
)
from vppo_core.lifecycle.decide import decide
from vppo_core.spec.status import FailureClass, JobPhase, Outcome

Facts = Callable[[Any], Any]
Reasons = Callable[[Plan], list[str]]
FIRST = StartAttempt(index=1, resume=False)
PAUSED = {"desiredState": "Paused"}
CANCELLED = {"desiredState": "Cancelled"}
WEEK = 604_800

ROWS: list[Any] = [
    pytest.param(
        lambda make: make.observed(), JobPhase.STARTING, (FIRST,), id="running-none-starts"
    ),
    pytest.param(
        lambda make: make.observed(checkpoint=make.checkpoint(10)),
        JobPhase.STARTING,
        (StartAttempt(index=1, resume=True),),
        id="running-none-with-a-checkpoint-resumes",
    ),
    pytest.param(
        lambda make: make.observed(queue=make.waits), JobPhase.QUEUED, (), id="not-admitted-waits"
    ),
    pytest.param(
        lambda make: make.observed(make.unlaunched()),
        JobPhase.STARTING,
        (FIRST,),
        id="recorded-but-not-launched-starts-under-its-index",
    ),
    pytest.param(
        lambda make: make.observed(make.unlaunched(), queue=make.waits),
        JobPhase.QUEUED,
        (),
        id="recorded-but-not-launched-needs-its-place",
    ),
    pytest.param(
        lambda make: make.observed(make.live()), JobPhase.STARTING, (), id="live-without-a-step"
    ),
    pytest.param(
        lambda make: make.observed(make.live(), queue=make.waits),
        JobPhase.QUEUED,
        (),
        id="live-and-waiting-on-a-cluster",
    ),
    pytest.param(
        lambda make: make.observed(make.live(), progress=make.progress(1)),
        JobPhase.RUNNING,
        (),
        id="live-with-a-step",
    ),
    pytest.param(
        lambda make: make.observed(make.gone(1, Outcome.SUCCEEDED)),
        JobPhase.SUCCEEDED,
        (),
        id="ended-well",
    ),
    pytest.param(
        lambda make: make.observed(make.gone(1, Outcome.SUCCEEDED), is_archived=False),
        JobPhase.SUCCEEDED,
        (ArchiveJob(),),
        id="ended-well-is-archived",
    ),
    pytest.param(
        lambda make: make.observed(make.gone(1, Outcome.FAILED, FailureClass.NETWORK)),
        JobPhase.RETRYING,
        (),
        id="ended-badly-waits-its-back-off",
    ),
    pytest.param(
        lambda make: make.observed(
            make.gone(1, Outcome.FAILED, FailureClass.NETWORK, ended=make.at(50)),
            queue=make.waits,
        ),
        JobPhase.QUEUED,
        (),
        id="back-off-over-but-not-admitted",
    ),
    pytest.param(
        lambda make: make.observed(make.gone(1, Outcome.FAILED, FailureClass.USER_ERROR)),
        JobPhase.FAILED,
        (),
        id="ended-badly-not-retryable",
    ),
    pytest.param(
        lambda make: make.observed(make.gone()),
        JobPhase.STARTING,
        (StartAttempt(index=2, resume=True),),
        id="vanished-is-lost-and-retried-at-once",
    ),
    pytest.param(
        lambda make: make.observed(spec=PAUSED), JobPhase.PAUSED, (), id="paused-before-its-start"
    ),
    pytest.param(
        lambda make: make.observed(make.live(), spec=PAUSED),
        JobPhase.STOPPING,
        (RequestStop(index=1, reason="Paused", deadline=None),),  # type: ignore[arg-type]
        id="pause-asks-the-live-one",
    ),
    pytest.param(
        lambda make: make.observed(make.gone(1, Outcome.STOPPED), spec=PAUSED),
        JobPhase.PAUSED,
        (),
        id="pause-is-done-when-it-is-gone",
    ),
    pytest.param(
        lambda make: make.observed(make.gone(1, Outcome.STOPPED)),
        JobPhase.STARTING,
        (StartAttempt(index=2, resume=True),),
        id="resumed",
    ),
    pytest.param(
        lambda make: make.observed(make.gone(1, Outcome.SUCCEEDED), spec=PAUSED),
        JobPhase.SUCCEEDED,
        (),
        id="success-wins-over-pause",
    ),
    pytest.param(
        lambda make: make.observed(make.gone(1, Outcome.SUCCEEDED), spec=CANCELLED),
        JobPhase.SUCCEEDED,
        (),
        id="success-wins-over-cancel",
    ),
    pytest.param(
        lambda make: make.observed(spec=CANCELLED), JobPhase.CANCELLED, (), id="cancelled-at-once"
    ),
    pytest.param(
        lambda make: make.observed(make.unlaunched(), spec=CANCELLED),
        JobPhase.CANCELLED,
        (),
        id="cancelled-before-the-launch",
    ),
    pytest.param(
        lambda make: make.observed(make.gone(1, Outcome.STOPPED), spec=CANCELLED),
        JobPhase.CANCELLED,
        (),
        id="cancelled-when-it-is-gone",
    ),
    pytest.param(
        lambda make: make.observed(make.live(), deletion_requested=make.at(90)),
        JobPhase.STOPPING,
        (RequestStop(index=1, reason="Deleted", deadline=None),),  # type: ignore[arg-type]
        id="deletion-asks-the-live-one",
    ),
    pytest.param(
        lambda make: make.observed(deletion_requested=make.at(90), is_archived=False),
        JobPhase.CANCELLED,
        (ArchiveJob(), ReleaseJob()),
        id="deletion-archives-then-releases",
    ),
    pytest.param(
        lambda make: make.observed(deletion_requested=make.at(90)),
        JobPhase.CANCELLED,
        (ReleaseJob(),),
        id="deletion-of-an-archived-job",
    ),
    pytest.param(
        lambda make: make.observed(make.live(1), make.live(2)),
        JobPhase.STARTING,
        (DeleteAttempt(index=1, reason="Superseded"),),
        id="two-live-keeps-the-highest",
    ),
    pytest.param(
        lambda make: make.observed(make.live(1), make.unlaunched(2)),
        JobPhase.STOPPING,
        (DeleteAttempt(index=1, reason="Superseded"),),
        id="an-earlier-one-lives-so-the-next-one-waits",
    ),
    pytest.param(
        lambda make: make.observed(
            make.live(1), make.live(2), make.live(3), deletion_requested=make.at(90)
        ),
        JobPhase.STOPPING,
        (
            DeleteAttempt(index=1, reason="Superseded"),
            DeleteAttempt(index=2, reason="Superseded"),
            RequestStop(index=3, reason="Deleted", deadline=None),  # type: ignore[arg-type]
        ),
        id="three-live-while-deleting",
    ),
]


@pytest.mark.parametrize(("facts", "phase", "actions"), ROWS)
def test_what_is_wanted_and_what_is_there_give_phase_and_actions(
    make: Any, facts: Facts, phase: JobPhase, actions: tuple[Any, ...]
) -> None:
    observed = facts(make)
    plan = decide(observed)
    assert plan.status.phase is phase
    grace = make.at(100 + observed.spec.scheduling.stop_grace_seconds)
    expected = tuple(
        RequestStop(index=one.index, reason=one.reason, deadline=grace)
        if isinstance(one, RequestStop)
        else one
        for one in actions
    )
    assert plan.actions == expected


@pytest.mark.parametrize("phase", [JobPhase.SUCCEEDED, JobPhase.FAILED, JobPhase.CANCELLED])
@pytest.mark.parametrize("wanted", ["Running", "Paused", "Cancelled"])
def test_a_final_phase_is_never_left(make: Any, phase: JobPhase, wanted: str) -> None:
    attempts = {
        JobPhase.SUCCEEDED: make.gone(1, Outcome.SUCCEEDED),
        JobPhase.FAILED: make.gone(1, Outcome.FAILED, FailureClass.USER_ERROR),
        JobPhase.CANCELLED: make.gone(1, Outcome.STOPPED),
    }
    spec = CANCELLED if phase is JobPhase.CANCELLED else {}
    status = make.after(attempts[phase], spec=spec)
    assert status.phase is phase
    changed = make.observed(
        attempts[phase], status=status, spec={"desiredState": wanted}, generation=2
    )
    plan = decide(changed)
    assert (plan.status.phase, plan.actions, plan.events) == (phase, (), ())
    assert plan.status.conditions == status.conditions
    assert plan.status.observed_generation == 2


def test_an_attempt_that_lives_after_the_end_is_ended(make: Any) -> None:
    status = make.after(spec=CANCELLED)
    plan = decide(make.observed(make.live(), status=status, spec=CANCELLED, is_archived=False))
    assert plan.actions == (DeleteAttempt(index=1, reason="Finished"),)
    assert plan.status.phase is JobPhase.CANCELLED


@pytest.mark.parametrize(
    ("now", "actions", "requeue"),
    [
        pytest.param(10 + WEEK - 1, (), 1.0, id="a-second-before"),
        pytest.param(10 + WEEK, (ExpireJob(),), None, id="on-time"),
        pytest.param(10 + 9 * WEEK, (ExpireJob(),), None, id="long-after"),
    ],
)
def test_files_expire_so_long_after_the_end(
    make: Any, now: float, actions: tuple[Any, ...], requeue: float | None
) -> None:
    attempt = make.gone(1, Outcome.SUCCEEDED)
    plan = decide(make.observed(attempt, status=make.after(attempt), now=now))
    assert plan.actions == actions
    assert plan.requeue_after_seconds == requeue


def test_files_of_a_job_without_patience_expire_in_the_pass_that_ends_it(make: Any) -> None:
    spec = {"ttlSecondsAfterFinished": 0}
    plan = decide(make.observed(make.gone(1, Outcome.SUCCEEDED), spec=spec))
    assert plan.actions == (ExpireJob(),)
