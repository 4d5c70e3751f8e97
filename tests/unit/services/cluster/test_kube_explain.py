from dataclasses import replace
from typing import Any

import pytest

from vppo_core.spec.status import (
    AttemptStatus,
    Condition,
    ConditionStatus,
    ConditionType,
    JobPhase,
    Progress,
    VPPOJobStatus,
)
from vppo_services.cluster.explaining import explanation_of

QUOTA = "Waiting for quota: queue gpu needs 8 x H100, 2 free; position 3; raise priority or wait."


def condition(kind: ConditionType, status: str, reason: str, message: str, now: Any) -> Condition:
    return Condition(
        type=kind,
        status=ConditionStatus(status),
        reason=reason,
        message=message,
        last_transition_time=now,
    )


@pytest.fixture
def explained(cluster: Any, job_named: Any) -> Any:
    record, _ = cluster.store.create(job_named("a"), owner="ann")

    def explain(status: VPPOJobStatus, *, seconds: float = 0) -> Any:
        cluster.clock.pass_by(seconds)
        changed = replace(
            record, phase=status.phase, status_json=status.model_dump_json(by_alias=True)
        )
        return explanation_of(changed, cluster.clock())

    return explain


def test_a_queued_job_has_the_operators_sentence(explained: Any, cluster: Any) -> None:
    queued = condition(ConditionType.QUEUED, "True", "WaitingForQuota", QUOTA, cluster.clock())
    found = explained(VPPOJobStatus(phase=JobPhase.QUEUED, conditions=(queued,)))
    assert found.sentence == QUOTA
    assert [one.reason for one in found.causes] == ["WaitingForQuota"]
    assert found.hint == "Raise priority or wait."


def test_a_refused_job_says_what_is_wrong(explained: Any, cluster: Any) -> None:
    said = "scheduling.queue must be one of 'a', got 'b'; choose one."
    refused = condition(ConditionType.ACCEPTED, "False", "UnknownQueue", said, cluster.clock())
    found = explained(VPPOJobStatus(conditions=(refused,)))
    assert (found.sentence, found.causes[0].reason) == (said, "UnknownQueue")


def test_a_job_that_no_operator_looks_at_says_so(explained: Any) -> None:
    assert explained(VPPOJobStatus()).sentence.startswith("The job is accepted and will be")
    found = explained(VPPOJobStatus(), seconds=120)
    assert "no operator has looked at it for 2 min" in found.sentence
    assert found.causes[0].reason == "NoOperator"


@pytest.mark.parametrize(
    ("phase", "sentence"),
    [
        (JobPhase.STARTING, "Attempt 1 has been starting for"),
        (JobPhase.RUNNING, "Training: "),
        (JobPhase.STOPPING, "Attempt 1 is asked to stop."),
        (JobPhase.SUCCEEDED, "Succeeded at "),
        (JobPhase.CANCELLED, "Cancelled at "),
        (JobPhase.PAUSED, "Paused at "),
    ],
)
def test_every_other_phase_is_told_from_the_status(
    explained: Any, cluster: Any, phase: JobPhase, sentence: str
) -> None:
    now = cluster.clock()
    status = VPPOJobStatus(
        phase=phase,
        conditions=(condition(ConditionType.ACCEPTED, "True", "Valid", "", now),),
        attempt=1,
        attempts=(AttemptStatus(index=1, created=now),),
        progress=Progress(step=2, total_steps=3, display="2/3", updated=now),
    )
    assert explained(status).sentence.startswith(sentence)
