import json
import math
import socket
from pathlib import Path
from urllib.request import urlopen

import pytest

from vppo_core.spec.tracking import TrackingSpec
from vppo_services.observability.mlflow import Runs
from vppo_services.observability.prometheus import PrometheusSink
from vppo_services.observability.record import read_steps
from vppo_services.observability.tracker import Tracker, default_store


def nobody(uri: str) -> Runs:
    raise ConnectionError(f"nobody listens at {uri}")


def file_tracker(folder: Path, *, resumed_step: int = -1) -> Tracker:
    return Tracker(
        folder, prometheus=None, mlflow=None, resumed_step=resumed_step, clock=lambda: 100.0
    )


def test_every_step_is_a_line_of_the_metrics_file(tmp_path: Path) -> None:
    tracker = file_tracker(tmp_path)
    tracker.log_step(0, {"evaluation_accuracy": 0.5})
    tracker.log_step(1, {"reward_mean": 0.25, "stage_seconds{sample}": 2.0})
    assert read_steps(tmp_path / "metrics.jsonl") == [
        {"step": 0, "time": 100.0, "evaluation_accuracy": 0.5},
        {"step": 1, "time": 100.0, "reward_mean": 0.25, "stage_seconds{sample}": 2.0},
    ]


def test_a_resumed_run_cuts_what_it_will_train_again(tmp_path: Path) -> None:
    first = file_tracker(tmp_path)
    for step in range(5):
        first.log_step(step, {"reward_mean": 0.1})
    second = file_tracker(tmp_path, resumed_step=2)
    second.log_step(3, {"reward_mean": 0.9})
    rewards = [line["reward_mean"] for line in read_steps(tmp_path / "metrics.jsonl")]
    assert rewards == [0.1, 0.1, 0.1, 0.9]


def test_a_new_run_begins_a_new_file(tmp_path: Path) -> None:
    file_tracker(tmp_path).log_step(0, {"reward_mean": 0.1})
    file_tracker(tmp_path)
    assert read_steps(tmp_path / "metrics.jsonl") == []


def test_values_that_are_not_finite_are_null_and_counted(tmp_path: Path) -> None:
    prometheus = PrometheusSink()
    tracker = Tracker(tmp_path, prometheus=prometheus, mlflow=None)
    tracker.log_step(0, {"grad_norm": math.nan, "reward_mean": 0.5})
    page = urlopen(tracker.metrics_url, timeout=5.0).read().decode()
    tracker.close()
    assert "vppo_nonfinite_values_total 1.0" in page
    assert "vppo_grad_norm" not in page
    (line,) = read_steps(tmp_path / "metrics.jsonl")
    assert line["grad_norm"] is None
    assert line["nonfinite_values"] == 1.0


def test_an_uncatalogued_value_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    tracker = file_tracker(tmp_path)
    with pytest.raises(LookupError, match="reward_meen"):
        tracker.log_step(0, {"reward_meen": 0.5})
    assert not (tmp_path / "metrics.jsonl").exists()


def test_a_disk_that_refuses_is_counted_and_raises_nothing(tmp_path: Path) -> None:
    prometheus = PrometheusSink()
    tracker = Tracker(tmp_path, prometheus=prometheus, mlflow=None)
    (tmp_path / "metrics.jsonl").symlink_to("/dev/full")
    tracker.log_step(0, {"reward_mean": 0.5})
    tracker.log_step(1, {"reward_mean": 0.5})
    page = urlopen(tracker.metrics_url, timeout=5.0).read().decode()
    tracker.close()
    assert 'vppo_sink_dropped_total{sink="file"} 1.0' in page


def test_open_starts_with_mlflow_away_and_names_its_endpoint(tmp_path: Path) -> None:
    tracker = Tracker.open(tmp_path, TrackingSpec(), job="demo", connect=nobody)
    tracker.log_params({"seed": 0})
    tracker.log_step(0, {"reward_mean": 0.5})
    endpoint = json.loads((tmp_path / "metrics.json").read_text())
    assert endpoint["url"] == tracker.metrics_url
    page = urlopen(endpoint["url"], timeout=5.0).read().decode()
    assert 'vppo_sink_pending{sink="mlflow"}' in page
    assert not tracker.close("FAILED", timeout_seconds=0.0)


def test_a_taken_metrics_port_is_replaced_by_a_free_one(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        spec = TrackingSpec(metrics_port=port)
        tracker = Tracker.open(tmp_path, spec, job="demo", connect=nobody)
        tracker.close(timeout_seconds=0.0)
    assert json.loads((tmp_path / "metrics.json").read_text())["port"] not in (0, port)


def test_the_default_store_is_shared_by_the_runs_of_a_folder(tmp_path: Path) -> None:
    assert default_store(tmp_path / "runs" / "demo") == f"sqlite:///{tmp_path}/runs/mlflow.db"
