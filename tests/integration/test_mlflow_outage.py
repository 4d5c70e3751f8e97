"""A real MLflow server that is away at the start, in the middle of a run, or to its end."""

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.mlflow_server import Server, found, wait_until
from vppo_core.spec.tracking import TrackingSpec
from vppo_services.observability.tracker import Tracker

pytestmark = pytest.mark.slow

KEYS = ("reward/mean", "time/stage_seconds/sample", "progress/step")
UID = "0b9ddf54-66a5-4f6d-9d4b-7c7e4d9d2f10"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    yield server
    server.kill()


def log(tracker: Tracker, steps: range) -> float:
    """Log steps; seconds of the slowest call."""
    slowest = 0.0
    for step in steps:
        values = {"step": step, "reward_mean": step / 100, "stage_seconds{sample}": 1.5}
        before = time.monotonic()
        tracker.log_step(step, values)
        slowest = max(slowest, time.monotonic() - before)
    return slowest


def test_every_step_arrives_exactly_once_whenever_mlflow_is_away(
    server: Server, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    tracking = TrackingSpec(mlflow_uri=server.url, experiment="outage")
    tracker = Tracker.open(run, tracking, job="demo")
    tracker.log_params({"seed": 7, "data": {"source": "demo://colours"}})
    slowest = log(tracker, range(1, 11))
    assert tracker.mlflow_run_id == ""
    server.start()
    wait_until(lambda: tracker.mlflow_run_id != "")
    server.kill()  # most likely within a delivery
    slowest = max(slowest, log(tracker, range(11, 21)))
    assert not tracker.close("FAILED", timeout_seconds=0.5)

    resumed = Tracker.open(run, tracking, job="demo", attempt=2, resumed_step=14)
    slowest = max(slowest, log(resumed, range(15, 26)))
    server.start()
    resumed.log_artifact(run / "metrics.jsonl")
    assert resumed.close("FINISHED", timeout_seconds=120.0)

    runs = found(server.url, "outage")
    assert set(runs.runs) == {"demo", "demo attempt 1", "demo attempt 2"}
    job, first, second = (runs.runs[name] for name in sorted(runs.runs))
    assert (job.info.status, first.info.status, second.info.status) == (
        "FINISHED",
        "FAILED",
        "FINISHED",
    )
    assert first.data.tags["mlflow.parentRunId"] == job.info.run_id
    assert second.data.tags["mlflow.parentRunId"] == job.info.run_id
    assert job.data.params == {"seed": "7", "data.source": "demo://colours"}
    for key in KEYS:
        assert runs.curve("demo attempt 1", key) == list(range(1, 21))
        assert runs.curve("demo attempt 2", key) == list(range(21, 26))
        assert runs.curve("demo", key) == []
    assert runs.artifacts("demo") == {"metrics.jsonl"}
    assert slowest < 1.0  # a dead server never holds up a step


def test_what_a_server_that_died_in_step_3_missed_is_replayed_after_the_run(
    server: Server, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    server.start()
    tracking = TrackingSpec(mlflow_uri=server.url, experiment="outage")
    tracker = Tracker.open(run, tracking, job="demo")
    log(tracker, range(1, 3))
    wait_until(lambda: tracker.mlflow_run_id != "")
    server.kill()
    log(tracker, range(3, 7))
    before = time.monotonic()
    assert not tracker.close("FINISHED", timeout_seconds=2.0, busy_seconds=600.0)
    assert time.monotonic() - before < 30.0  # an MLflow that is away is given up in time

    server.start()
    command = [sys.executable, "-m", "vppo_services.driver.replay", str(run)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("delivered to MLflow, 0 still wait\n")
    runs = found(server.url, "outage")
    for key in KEYS:
        assert runs.curve("demo attempt 1", key) == list(range(1, 7))
    assert {run.info.status for run in runs.runs.values()} == {"FINISHED"}


def test_a_run_folder_that_was_lost_leaves_no_hole_and_no_step_twice(
    server: Server, tmp_path: Path
) -> None:
    """The folder of a job with a uid, as on a cluster; `metrics.jsonl` comes with a checkpoint."""
    server.start()
    run = tmp_path / UID
    tracking = TrackingSpec(mlflow_uri=server.url, experiment="outage")
    tracker = Tracker.open(run, tracking, job="demo")
    log(tracker, range(1, 5))
    wait_until(lambda: tracker.mlflow_run_id != "")
    wait_until(lambda: len(found(server.url, "outage").curve("demo attempt 1", KEYS[0])) == 4)
    server.kill()
    log(tracker, range(5, 7))  # these die with the folder, but the checkpoint has them
    saved = (run / "metrics.jsonl").read_text()
    tracker.close("FAILED", timeout_seconds=0.0)
    shutil.rmtree(run)

    run.mkdir()
    (run / "metrics.jsonl").write_text(saved)
    server.start()
    resumed = Tracker.open(run, tracking, job="demo", attempt=2, resumed_step=6)
    log(resumed, range(7, 9))
    assert resumed.close("FINISHED", timeout_seconds=120.0)
    runs = found(server.url, "outage")
    assert len(runs.runs) == 3
    for key in KEYS:
        assert runs.curve("demo attempt 1", key) == [1, 2, 3, 4]
        assert runs.curve("demo attempt 2", key) == [5, 6, 7, 8]
    statuses = {run.info.run_name: run.info.status for run in runs.runs.values()}
    assert statuses["demo attempt 1"] == "KILLED", "ended by the attempt that followed"
    assert statuses["demo attempt 2"] == statuses["demo"] == "FINISHED"
