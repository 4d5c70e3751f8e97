"""The series of jobs: what is shown of each, and that nothing stays of those that are over."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from tests.unit.core.instruments.page_reading import read
from vppo_core.instruments import JobBoard, JobCounters
from vppo_core.instruments.board import SERIES_OF_A_JOB
from vppo_core.spec.job import VPPOJobSpec
from vppo_core.spec.platform import PlatformSpec
from vppo_core.spec.status import (
    AttemptStatus,
    CheckpointStatus,
    Condition,
    ConditionStatus,
    ConditionType,
    JobPhase,
    Progress,
    VPPOJobStatus,
)

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
PLATFORM = PlatformSpec.model_validate(
    {
        "pools": [{"name": "big", "gpus": 16}, {"name": "small", "gpus": 2}],
        "queues": [{"name": "default", "pool": "big"}],
    }
)
SPEC = VPPOJobSpec.model_validate(
    {
        "model": {"source": "a/b"},
        "data": {"source": "c/d"},
        "rollout": {"tensorParallelSize": 2},
        "learner": {"numSteps": 9},
        "placement": {
            "rollout": {"replicas": 2, "gpus": 2},
            "dependency": {"replicas": 1, "gpus": 1, "pool": "small"},
            "learner": {"replicas": 4, "gpus": 1},
        },
    }
)
MAX_SERIES = 10 * 200 + 100
"""The stated bound: control pages of 200 jobs that are not over."""


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


class Board:
    """A board, and the clock of who puts jobs on it."""

    def __init__(self, **options: Any) -> None:
        self.registry = CollectorRegistry()
        self.board = JobBoard(self.registry, **options)

    def put(self, phase: str, name: str = "demo", *, seconds: float = 0.0, **status: Any) -> None:
        live = status.pop("live", 0)
        self.board.put(
            "team",
            name,
            VPPOJobStatus(phase=JobPhase(phase), **status),
            spec=SPEC,
            platform=PLATFORM,
            created=NOON,
            live_attempts=live,
            now=at(seconds),
        )

    def of(self, name: str = "demo") -> dict[str, float]:
        return {
            series.replace(f" {name} team", ""): value
            for series, value in read(self.registry).items()
            if f" {name} team" in series
        }


def attempt(**fields: Any) -> AttemptStatus:
    return AttemptStatus(index=1, created=at(5), gpus=9, **fields)


def queued(seconds: float) -> Condition:
    return Condition(
        type=ConditionType.QUEUED,
        status=ConditionStatus.TRUE,
        reason="WaitingForQuota",
        last_transition_time=at(seconds),
    )


def running(step: int, *, seconds: float) -> dict[str, Any]:
    left = 9 - step
    progress = Progress(step=step, total_steps=9, eta_seconds=7.0 * left, updated=at(seconds))
    return {
        "progress": progress,
        "attempt": 1,
        "attempts": (attempt(started=at(30)),),
        "checkpoint": CheckpointStatus(step=2, uri="s3://b/2", created=at(40)),
    }


def test_a_job_that_trains_is_shown_with_all_that_is_known_of_it() -> None:
    board = Board()
    board.put("Running", live=1, **running(3, seconds=60))
    assert board.of() == {
        "vppo_job_phase Running": 1.0,
        "vppo_job_phase_timestamp_seconds": at(30).timestamp(),
        "vppo_job_step": 3.0,
        "vppo_job_total_steps": 9.0,
        "vppo_job_step_mean_seconds": 7.0,
        "vppo_job_last_progress_timestamp_seconds": at(60).timestamp(),
        "vppo_job_checkpoint_step": 2.0,
        "vppo_job_attempts": 1.0,
        "vppo_job_live_attempts": 1.0,
    }
    assert len(board.of()) == SERIES_OF_A_JOB


def test_what_nobody_knows_yet_is_not_shown() -> None:
    board = Board()
    board.put("Pending")
    shown = board.of()
    assert "vppo_job_step_mean_seconds" not in shown
    assert "vppo_job_last_progress_timestamp_seconds" not in shown
    assert shown["vppo_job_total_steps"] == 9.0


@pytest.mark.parametrize(
    ("phase", "status", "since"),
    [
        ("Pending", {}, 0),
        ("Queued", {"conditions": (queued(3),)}, 3),
        ("Starting", {"attempts": (attempt(),)}, 5),
        ("Starting", {"attempts": (attempt(admitted=at(20)),)}, 20),
        ("Running", {"attempts": (attempt(started=at(30)),)}, 30),
        ("Retrying", {"attempts": (attempt(ended=at(50)),)}, 50),
        ("Stopping", {"attempts": (attempt(started=at(30)),)}, 100),
    ],
)
def test_the_time_of_a_phase_is_told_by_the_status(
    phase: str, status: dict[str, Any], since: float
) -> None:
    board = Board()
    for seconds in (100, 200):
        board.put(phase, seconds=seconds, **status)
    assert board.of()["vppo_job_phase_timestamp_seconds"] == at(since).timestamp()


def test_a_driver_that_speaks_without_a_step_makes_no_progress() -> None:
    board = Board()
    for step, seconds in ((3, 60), (3, 90), (4, 120), (4, 150)):
        board.put("Running", **running(step, seconds=seconds))
    assert board.of()["vppo_job_last_progress_timestamp_seconds"] == at(120).timestamp()


@pytest.mark.parametrize("end", ["Succeeded", "Failed", "Cancelled", "gone"])
def test_nothing_stays_of_a_job_that_is_over(end: str) -> None:
    board = Board()
    board.put("Running", **running(3, seconds=60))
    board.put("Queued", "other")
    if end == "gone":
        board.board.drop("team", "demo")
    else:
        board.put(end, **running(9, seconds=90))
    found = read(board.registry)
    assert [series for series in found if "demo" in series] == []
    assert found["vppo_jobs Running"] == 0
    assert found["vppo_jobs Queued"] == 1
    assert found.get(f"vppo_jobs {end}", 1) == 1
    assert board.of("other")


def test_a_phase_that_is_left_has_no_series() -> None:
    board = Board()
    board.put("Starting", attempts=(attempt(),))
    board.put("Running", **running(1, seconds=60))
    assert [series for series in board.of() if "vppo_job_phase " in series] == [
        "vppo_job_phase Running"
    ]


def test_a_name_may_live_again() -> None:
    board = Board()
    board.put("Failed")
    board.put("Queued", conditions=(queued(3),))
    found = read(board.registry)
    assert (found["vppo_jobs Failed"], found["vppo_jobs Queued"]) == (0, 1)


def test_gpus_are_counted_where_an_attempt_holds_them() -> None:
    board = Board()
    board.board.offer(PLATFORM)
    board.put("Running", **running(3, seconds=60))
    board.put("Running", "second", **running(3, seconds=60))
    board.put("Queued", "third", attempts=(attempt(waiting=True),))
    board.put("Retrying", "fourth", attempts=(attempt(ended=at(50)),))
    found = read(board.registry)
    assert (found["vppo_gpus_allocated big"], found["vppo_gpus_allocated small"]) == (16, 2)
    assert (found["vppo_gpus_offered big"], found["vppo_gpus_offered small"]) == (16, 2)
    board.put("Succeeded")
    assert read(board.registry)["vppo_gpus_allocated big"] == 8


def test_jobs_that_are_over_may_be_counted_by_somebody_else() -> None:
    counts = {JobPhase.SUCCEEDED: 100_000}
    board = Board(finished=lambda: counts)
    board.put("Succeeded")
    board.put("Paused", "other")
    found = read(board.registry)
    assert (found["vppo_jobs Succeeded"], found["vppo_jobs Paused"]) == (100_000, 1)


def test_registering_asks_nobody_for_counts() -> None:
    def never() -> dict[JobPhase, int]:
        raise AssertionError("asked before the first scrape")

    Board(finished=never)


def test_the_series_of_200_jobs_stay_below_the_bound_and_go_with_them() -> None:
    board = Board()
    JobCounters(board.registry, holds_at_once=True)
    board.board.offer(PLATFORM)
    for number in range(200):
        board.put("Running", f"job-{number}", live=1, **running(3, seconds=60))
    found = read(board.registry)
    assert 200 * SERIES_OF_A_JOB < len(found) <= MAX_SERIES
    for number in range(200):
        board.put("Succeeded", f"job-{number}")
    left = read(board.registry)
    assert len(left) <= 100
    assert not any("job-" in series for series in left)
    assert left["vppo_jobs Succeeded"] == 200
