"""What is recorded: conditions and their times, progress, queue, usage, bounded lists, events."""

from collections.abc import Callable
from typing import Any

import pytest

from vppo_core.lifecycle.actions import Plan
from vppo_core.lifecycle.decide import decide
from vppo_core.lifecycle.observed import QueueState
from vppo_core.spec.hashing import spec_hash
from vppo_core.spec.status import (
    Condition,
    ConditionStatus,
    ConditionType,
    FailureClass,
    Outcome,
    QueueStatus,
    VPPOJobStatus,
)

Facts = Callable[[Any], Any]
Reasons = Callable[[Plan], list[str]]
PAUSED = {"desiredState": "Paused"}
T, F = True, False


def condition(status: VPPOJobStatus, kind: ConditionType) -> Condition:
    return next(one for one in status.conditions if one.type is kind)


def stated(status: VPPOJobStatus) -> dict[str, tuple[bool, str]]:
    return {
        one.type.value: (one.status is ConditionStatus.TRUE, one.reason)
        for one in status.conditions
    }


USUAL = {
    "Accepted": (T, "Valid"),
    "Queued": (F, "NotWaiting"),
    "ClusterReady": (F, "Gone"),
    "Running": (F, "NoAttempt"),
    "Paused": (F, "NotPaused"),
}
RUNS = {"Queued": (F, "Admitted"), "ClusterReady": (T, "Ready"), "Running": (T, "Training")}


@pytest.mark.parametrize(
    ("facts", "differs"),
    [
        pytest.param(
            lambda make: make.observed(queue=make.waits),
            {"Queued": (T, "WaitingForQuota"), "ClusterReady": (F, "NotStarted")},
            id="queued",
        ),
        pytest.param(
            lambda make: make.observed(),
            {
                "Queued": (F, "Admitted"),
                "ClusterReady": (F, "Provisioning"),
                "Running": (F, "Starting"),
            },
            id="starting",
        ),
        pytest.param(
            lambda make: make.observed(make.live(), progress=make.progress(0, stage="starting")),
            {
                "Queued": (F, "Admitted"),
                "ClusterReady": (F, "Provisioning"),
                "Running": (F, "Starting"),
            },
            id="loading",
        ),
        pytest.param(
            lambda make: make.observed(make.live(), progress=make.progress(0)),
            {
                "Queued": (F, "Admitted"),
                "ClusterReady": (T, "Ready"),
                "Running": (F, "Starting"),
            },
            id="in-its-first-step",
        ),
        pytest.param(
            lambda make: make.observed(make.live(), progress=make.progress(1)), RUNS, id="running"
        ),
        pytest.param(
            lambda make: make.observed(make.live(), progress=make.progress(1), now=701),
            {**RUNS, "Running": (T, "NoProgress")},
            id="no-word-for-ten-minutes",
        ),
        pytest.param(
            lambda make: make.observed(
                make.live(), progress=make.progress(1, stage_seconds={"sample": 200.0}), now=701
            ),
            RUNS,
            id="long-steps-are-given-time",
        ),
        pytest.param(
            lambda make: make.observed(make.live(), progress=make.progress(1), spec=PAUSED),
            {**RUNS, "Running": (T, "Stopping")},
            id="stopping",
        ),
        pytest.param(
            lambda make: make.observed(make.gone(1, Outcome.STOPPED), spec=PAUSED),
            {"Paused": (T, "NoCheckpoint")},
            id="paused",
        ),
        pytest.param(
            lambda make: make.observed(make.gone(1, Outcome.FAILED, FailureClass.NETWORK)),
            {"Queued": (F, "BackingOff")},
            id="retrying",
        ),
        pytest.param(
            lambda make: make.observed(make.live(1), make.live(2)),
            {
                "Queued": (F, "Admitted"),
                "ClusterReady": (F, "Provisioning"),
                "Running": (F, "TwoAttempts"),
            },
            id="two-live",
        ),
        pytest.param(
            lambda make: make.observed(make.gone(1, Outcome.SUCCEEDED)),
            {
                "Succeeded": (T, "Completed"),
                "Failed": (F, "Completed"),
                "Finished": (T, "Succeeded"),
            },
            id="succeeded",
        ),
        pytest.param(
            lambda make: make.observed(make.gone(1, Outcome.FAILED, FailureClass.USER_ERROR)),
            {
                "Succeeded": (F, "UserError"),
                "Failed": (T, "UserError"),
                "Finished": (T, "Failed"),
            },
            id="failed",
        ),
        pytest.param(
            lambda make: make.observed(
                make.gone(1, Outcome.STOPPED), spec={"desiredState": "Cancelled"}
            ),
            {
                "Succeeded": (F, "Cancelled"),
                "Failed": (F, "Cancelled"),
                "Finished": (T, "Cancelled"),
            },
            id="cancelled",
        ),
    ],
)
def test_conditions_say_what_is_so(
    make: Any, facts: Facts, differs: dict[str, tuple[bool, str]]
) -> None:
    assert stated(decide(facts(make)).status) == {**USUAL, **differs}


def test_the_queued_message_is_the_sentence_of_explain(make: Any) -> None:
    plan = decide(make.observed(queue=make.waits))
    expected = (
        "Waiting for the pool 'local': job a-7f3k2 holds it; position 2 (queue 'default'); "
        "raise priority or wait for it."
    )
    assert condition(plan.status, ConditionType.QUEUED).message == expected
    assert plan.events[-1].message == expected


def test_a_reason_that_is_no_word_is_not_passed_on(make: Any) -> None:
    queue = QueueState(is_admitted=False, status=QueueStatus(reason="quota, at last!"))
    status = decide(make.observed(queue=queue)).status
    assert condition(status, ConditionType.QUEUED).reason == "WaitingForQuota"


def test_a_transition_time_is_kept_while_the_status_of_the_condition_stays(make: Any) -> None:
    first = make.after(make.live(), progress=make.progress(1), now=10)
    later = decide(
        make.observed(make.live(), progress=make.progress(1), now=9999, status=first, generation=2)
    ).status
    running = condition(later, ConditionType.RUNNING)
    assert running.reason == "NoProgress"
    assert running.last_transition_time == make.at(10)
    assert running.observed_generation == later.observed_generation == 2


def test_a_transition_time_moves_with_the_status_of_the_condition(make: Any) -> None:
    first = make.after(make.live(), now=10)
    later = decide(make.observed(make.live(), progress=make.progress(1), status=first)).status
    assert condition(first, ConditionType.RUNNING).last_transition_time == make.at(10)
    assert condition(later, ConditionType.RUNNING).last_transition_time == make.at(100)
    assert condition(later, ConditionType.ACCEPTED).last_transition_time == make.at(10)


def test_the_hash_follows_the_spec(make: Any) -> None:
    first = make.after()
    assert first.spec_hash == spec_hash(make.spec())
    changed = decide(make.observed(spec=PAUSED, generation=2, status=first)).status
    assert changed.spec_hash == spec_hash(make.spec(**PAUSED)) != first.spec_hash


def test_the_status_shows_ten_attempts_and_the_plan_has_all(make: Any) -> None:
    past = [make.gone(i, Outcome.STOPPED, ended=make.at(5)) for i in range(1, 25)]
    plan = decide(make.observed(*past, make.live(25)))
    assert [one.index for one in plan.attempts] == list(range(1, 26))
    assert [one.index for one in plan.status.attempts] == list(range(16, 26))
    assert plan.status.attempt == 25
    assert VPPOJobStatus.model_validate_json(plan.status.model_dump_json()) == plan.status


@pytest.mark.parametrize("length", [1024, 5000])
def test_a_message_of_any_length_fits(make: Any, length: int) -> None:
    attempt = make.gone(1, Outcome.FAILED, FailureClass.USER_ERROR)
    record = attempt.record.model_copy(update={"message": "x" * length})
    plan = decide(make.observed(type(attempt)(record=record, is_launched=True, is_live=False)))
    assert VPPOJobStatus.model_validate_json(plan.status.model_dump_json()) == plan.status
    assert all(len(event.message) <= 1024 for event in plan.events)


def test_progress_is_taken_from_the_driver_and_kept_when_it_is_gone(make: Any) -> None:
    said = make.progress(12, eta_seconds=60.0)
    running = make.after(make.live(), progress=said)
    assert (running.progress.display, running.progress.stage) == ("12/200", "sample")
    silent = make.progress(12).model_copy(update={"total_steps": 0, "display": ""})
    assert make.after(make.live(), progress=silent, status=running).progress.display == "12/200"
    paused = decide(
        make.observed(make.gone(1, Outcome.STOPPED), status=running, spec=PAUSED)
    ).status
    assert (paused.progress.step, paused.progress.display) == (12, "12/200")
    assert (paused.progress.stage, paused.progress.eta_seconds) == ("", None)


@pytest.mark.parametrize(
    ("facts", "position"),
    [
        pytest.param(lambda make: make.observed(queue=make.waits), 2, id="queued"),
        pytest.param(lambda make: make.observed(queue=make.waits, spec=PAUSED), 0, id="paused"),
        pytest.param(
            lambda make: make.observed(make.live(), queue=make.waits), 2, id="live-on-a-cluster"
        ),
        pytest.param(
            lambda make: make.observed(make.live(last_step=3), queue=make.waits), 0, id="trains"
        ),
    ],
)
def test_only_a_waiting_job_has_a_position(make: Any, facts: Facts, position: int) -> None:
    queue = decide(facts(make)).status.queue
    assert (queue.name, queue.pool, queue.position) == ("default", "local", position)


def test_usage_counts_the_gpus_of_all_roles_and_is_told_to_the_minute(make: Any) -> None:
    placement = {"learner": {"replicas": 2, "gpus": 1}, "rollout": {"gpus": 1}}
    started = decide(make.observed(spec={"placement": placement}, now=0))
    (attempt,) = started.attempts
    assert attempt.gpus == 3
    live = make.live(**attempt.model_dump(exclude={"index"}))
    status = started.status
    told = []
    for now in (30, 61, 119, 120):
        observed = make.observed(live, spec={"placement": placement}, now=now, status=status)
        status = decide(observed).status
        told.append((status.usage.gpus, status.usage.gpu_seconds_allocated))
    assert told == [(3, 0.0), (3, 180.0), (3, 180.0), (3, 360.0)]
    gone = make.gone(1, Outcome.STOPPED, gpus=3)
    over = decide(make.observed(gone, spec={"placement": placement}, now=130, status=status))
    assert (over.status.usage.gpus, over.status.usage.gpu_seconds_allocated) == (0, 390.0)
