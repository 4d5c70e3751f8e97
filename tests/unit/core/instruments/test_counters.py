"""What happened to jobs, counted once however often it is looked at."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from tests.unit.core.instruments.page_reading import read
from vppo_core.instruments import JobCounters
from vppo_core.spec.status import (
    AttemptStatus,
    Condition,
    ConditionStatus,
    ConditionType,
    FailureClass,
    JobPhase,
    Outcome,
    VPPOJobStatus,
)

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def attempt(index: int = 1, **fields: Any) -> AttemptStatus:
    return AttemptStatus(**{"index": index, "created": NOON, "gpus": 4, **fields})


def in_line(since: float) -> VPPOJobStatus:
    queued = Condition(
        type=ConditionType.QUEUED,
        status=ConditionStatus.TRUE,
        reason="WaitingForQuota",
        last_transition_time=at(since),
    )
    return VPPOJobStatus(phase=JobPhase.QUEUED, conditions=(queued,))


class Counted:
    """Counters, told of looks."""

    def __init__(self, *, holds_at_once: bool = True) -> None:
        self.registry = CollectorRegistry()
        self.counters = JobCounters(self.registry, holds_at_once=holds_at_once)

    def look(
        self,
        known: Sequence[AttemptStatus],
        attempts: Sequence[AttemptStatus],
        *,
        status: VPPOJobStatus | None = None,
        seconds: float = 0.0,
    ) -> dict[str, float]:
        self.counters.count(
            status or VPPOJobStatus(), known, attempts, created=NOON, now=at(seconds)
        )
        return {name: value for name, value in read(self.registry).items() if value}


def test_nothing_happened_yet_and_every_class_is_there() -> None:
    counted = Counted()
    found = read(counted.registry)
    assert set(found.values()) == {0.0}
    for failure in FailureClass:
        assert found[f"vppo_attempt_failures_total {failure.value}"] == 0.0


def test_an_attempt_is_counted_when_it_is_recorded_first() -> None:
    counted = Counted()
    assert counted.look([], [attempt()])["vppo_attempts_started_total"] == 1
    assert counted.look([attempt()], [attempt()])["vppo_attempts_started_total"] == 1
    first = attempt(ended=at(9), outcome=Outcome.STOPPED)
    assert counted.look([first], [first, attempt(2)])["vppo_attempts_started_total"] == 2


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.LOST])
def test_a_bad_end_is_counted_once_by_its_class(outcome: Outcome) -> None:
    counted = Counted()
    over = attempt(ended=at(60), outcome=outcome, failure_class=FailureClass.NODE_LOST)
    for known in (attempt(), over, over):
        found = counted.look([known], [over])
    assert found["vppo_attempt_failures_total NodeLost"] == 1


@pytest.mark.parametrize("outcome", [Outcome.SUCCEEDED, Outcome.STOPPED])
def test_a_good_end_is_no_failure(outcome: Outcome) -> None:
    found = Counted().look([attempt()], [attempt(ended=at(60), outcome=outcome)])
    assert not any("failures" in series for series in found)


def test_gpu_time_is_productive_lost_or_idle_and_nothing_else() -> None:
    over = attempt(
        ended=at(100),
        started=at(30),
        last_step=9,
        checkpoint_step=6,
        outcome=Outcome.FAILED,
        failure_class=FailureClass.APP_FAILED,
    )
    found = Counted().look([attempt()], [over], seconds=200)
    uses = {use: found[f"vppo_gpu_seconds_total {use}"] for use in ("productive", "lost", "idle")}
    assert sum(uses.values()) == pytest.approx(4 * 100)
    assert uses["productive"] == pytest.approx(2 * uses["lost"])
    assert uses["idle"] == pytest.approx(4 * (100 - 70 * 9 / 8))


def test_a_live_attempt_has_cost_nothing_yet() -> None:
    found = Counted().look([], [attempt(started=at(30), last_step=9)], seconds=1000)
    assert not any("gpu_seconds" in series for series in found)


@pytest.mark.parametrize(
    ("status", "known", "now", "waited"),
    [
        pytest.param(VPPOJobStatus(), [], 7, 7, id="accepted-and-started"),
        pytest.param(in_line(2), [], 62, 60, id="out-of-the-line"),
        pytest.param(VPPOJobStatus(phase=JobPhase.PAUSED), [], 900, 0, id="resumed-into-a-gap"),
        pytest.param(in_line(50), [], 20, 0, id="the-clock-went-back"),
    ],
)
def test_on_one_machine_a_wait_lasts_from_the_line_to_the_attempt(
    status: VPPOJobStatus, known: list[AttemptStatus], now: float, waited: float
) -> None:
    counted = Counted()
    counted.look(known, [attempt()], status=status, seconds=now)
    found = read(counted.registry)
    assert found["vppo_queue_wait_seconds_count"] == 1
    assert found["vppo_queue_wait_seconds_sum"] == waited


@pytest.mark.parametrize(
    ("status", "known", "now", "waited"),
    [
        pytest.param(in_line(100), attempt(waiting=True), 130, 30, id="admitted-by-Kueue"),
        pytest.param(VPPOJobStatus(), attempt(created=at(8)), 60, 8, id="never-waited"),
        pytest.param(VPPOJobStatus(), attempt(2, created=at(90)), 99, 0, id="tried-again"),
    ],
)
def test_on_a_cluster_a_wait_lasts_until_machines_are_there(
    status: VPPOJobStatus, known: AttemptStatus, now: float, waited: float
) -> None:
    counted = Counted(holds_at_once=False)
    counted.look([], [known])
    assert read(counted.registry)["vppo_queue_wait_seconds_count"] == 0
    after = known.model_copy(update={"waiting": False, "started": at(now)})
    for earlier in (known, after):
        counted.look([earlier], [after], status=status, seconds=now)
    found = read(counted.registry)
    assert found["vppo_queue_wait_seconds_count"] == 1
    assert found["vppo_queue_wait_seconds_sum"] == waited


def test_who_still_waits_has_not_waited() -> None:
    counted = Counted()
    counted.look([], [attempt(waiting=True)], status=in_line(0), seconds=50)
    assert read(counted.registry)["vppo_queue_wait_seconds_count"] == 0


def test_the_archive_is_behind_or_not() -> None:
    counted = Counted()
    assert "vppo_archive_backlog" not in read(counted.registry)
    counted.counters.set_archive(behind=3, lag_seconds=-1.0)
    found = read(counted.registry)
    assert (found["vppo_archive_backlog"], found["vppo_archive_lag_seconds"]) == (3, 0)
