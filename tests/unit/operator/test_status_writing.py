"""What is worth a write, and what waits for the next one."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from vppo_core.spec.status import (
    AttemptStatus,
    CheckpointStatus,
    ConditionType,
    JobPhase,
    Progress,
    UsageStatus,
    VPPOJobStatus,
)
from vppo_operator.job_object import merge_patch
from vppo_operator.status_writing import seconds_until_write, with_condition

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
BEFORE = VPPOJobStatus(
    phase=JobPhase.RUNNING,
    attempts=(AttemptStatus(index=1, created=NOON, last_step=3),),
    progress=Progress(step=3, updated=NOON),
)


def after(seconds: float, **changes: Any) -> VPPOJobStatus:
    moment = NOON + timedelta(seconds=seconds)
    plain: dict[str, Any] = {
        "progress": Progress(step=4, updated=moment),
        "attempts": (AttemptStatus(index=1, created=NOON, last_step=4),),
    }
    return BEFORE.model_copy(update={**plain, **changes})


@pytest.mark.parametrize(
    ("status", "wait"),
    [
        pytest.param(BEFORE, None, id="nothing-new"),
        pytest.param(after(10), 20.0, id="a-step"),
        pytest.param(after(30), 0.0, id="a-step-after-thirty-seconds"),
        pytest.param(after(1, phase=JobPhase.STOPPING), 0.0, id="a-phase"),
        pytest.param(
            after(1, checkpoint=CheckpointStatus(step=4, uri="s3://b/4", created=NOON)),
            0.0,
            id="a-checkpoint",
        ),
        pytest.param(
            after(1, attempts=(AttemptStatus(index=1, created=NOON, ended=NOON),)), 0.0, id="an-end"
        ),
        pytest.param(
            BEFORE.model_copy(update={"usage": UsageStatus(gpu_seconds_allocated=60.0)}),
            0.0,
            id="usage-by-the-minute",
        ),
    ],
)
def test_when_a_status_is_written(status: VPPOJobStatus, wait: float | None) -> None:
    assert seconds_until_write(BEFORE, status) == wait


def test_a_condition_keeps_its_time_while_it_holds() -> None:
    kind = ConditionType.ARCHIVED
    first = with_condition(BEFORE, kind, True, "Written", before=BEFORE, now=NOON)
    later = NOON + timedelta(hours=1)
    same = with_condition(first, kind, True, "Written", "again", before=first, now=later)
    assert same.conditions[-1].last_transition_time == NOON
    other = with_condition(same, kind, False, "ArchiveUnavailable", before=same, now=later)
    assert [one.type for one in other.conditions] == [kind]
    assert other.conditions[-1].last_transition_time == later


@pytest.mark.parametrize(
    ("old", "new", "patch"),
    [
        ({"a": 1}, {"a": 1}, {}),
        ({"a": 1, "b": {"c": 1, "d": 2}}, {"b": {"c": 1}}, {"a": None, "b": {"d": None}}),
        ({"l": [1]}, {"l": [1, 2]}, {"l": [1, 2]}),
        ({}, {"b": {"c": {}}}, {"b": {"c": {}}}),
    ],
)
def test_the_smallest_merge_patch(old: Any, new: Any, patch: Any) -> None:
    assert merge_patch(old, new) == patch
