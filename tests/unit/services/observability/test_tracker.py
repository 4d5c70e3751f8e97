import json
import math
import socket
import threading
import time
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.unit.services.observability.fake_mlflow import FakeRuns
from vppo_core.spec.tracking import TrackingSpec
from vppo_services.observability.mlflow_delivery import Runs
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


def test_rays_pages_stand_beside_the_runs_own(tmp_path: Path) -> None:
    urls = ["http://127.0.0.1:8080/metrics"]
    tracker = Tracker.open(tmp_path, TrackingSpec(), job="demo", connect=nobody, ray_urls=urls)
    tracker.close(timeout_seconds=0.0)
    endpoint = json.loads((tmp_path / "metrics.json").read_text())
    assert set(endpoint) == {"host", "port", "url", "ray"}
    assert endpoint["ray"] == urls


def test_what_is_announced_is_on_the_page_and_in_no_record(tmp_path: Path) -> None:
    prometheus = PrometheusSink()
    tracker = Tracker(tmp_path, prometheus=prometheus, mlflow=None)
    tracker.announce({"total_steps": 100.0, "reward_verdicts{timeout}": 0.0})
    page = urlopen(tracker.metrics_url, timeout=5.0).read().decode()
    tracker.close()
    assert "vppo_total_steps 100.0" in page
    assert 'vppo_reward_verdicts_total{verdict="timeout"} 0.0' in page
    assert 'vppo_sink_dropped_total{sink="spotlight"} 0.0' in page
    assert read_steps(tmp_path / "metrics.jsonl") == []
    with pytest.raises(LookupError, match="total_stepz"):
        tracker.announce({"total_stepz": 1.0})


def test_arrays_are_on_the_page_alone_and_what_is_not_finite_is_counted(tmp_path: Path) -> None:
    prometheus = PrometheusSink()
    tracker = Tracker(tmp_path, prometheus=prometheus, mlflow=None)
    tracker.observe("token_dependency", [0.5, math.nan, 0.25])
    page = urlopen(tracker.metrics_url, timeout=5.0).read().decode()
    tracker.close()
    assert "vppo_token_dependency_nats_count 2.0" in page
    assert "vppo_token_dependency_nats_sum 0.75" in page
    assert "vppo_nonfinite_values_total 1.0" in page
    assert read_steps(tmp_path / "metrics.jsonl") == []
    file_tracker(tmp_path).observe("token_dependency", [0.5])


def test_a_sink_that_blocks_delays_no_step(tmp_path: Path) -> None:
    """MLflow hangs in the middle of a call, and a reader of the page does not read."""
    is_blocked, go_on = threading.Event(), threading.Event()

    def blocked(uri: str) -> Runs:
        is_blocked.set()
        go_on.wait(30.0)
        raise ConnectionError(uri)

    tracker = Tracker.open(tmp_path, TrackingSpec(), job="demo", connect=blocked)
    port = json.loads((tmp_path / "metrics.json").read_text())["port"]
    with socket.create_connection(("127.0.0.1", port)) as reader:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        reader.sendall(b"GET /metrics HTTP/1.1\r\n")
        tracker.log_step(0, {"reward_mean": 0.5})
        assert is_blocked.wait(10.0), "nobody asked MLflow"
        started = time.monotonic()
        for step in range(1, 51):
            tracker.log_step(step, {"reward_mean": 0.5})
            tracker.observe("token_dependency", [0.5])
        seconds = time.monotonic() - started
        page = urlopen(tracker.metrics_url, timeout=5.0).read().decode()
    go_on.set()
    tracker.close("FAILED", timeout_seconds=0.0)
    assert seconds < 5.0, "fifty steps must not wait for what takes 30 s"
    assert "vppo_token_dependency_nats_count 50.0" in page
    assert len(read_steps(tmp_path / "metrics.jsonl")) == 51


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


def test_a_value_that_stays_not_finite_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tracker = file_tracker(tmp_path)
    for step in range(3):
        tracker.log_step(step, {"grad_norm": math.nan, "reward_mean": 0.5})
    tracker.log_step(3, {"grad_norm": math.nan, "reward_mean": math.inf})
    assert [record.message for record in caplog.records] == [
        "step 0: not finite: grad_norm",
        "step 3: not finite: reward_mean",
    ]


def test_a_lost_folder_of_a_job_with_a_uid_gives_mlflow_the_steps_that_a_checkpoint_kept(
    tmp_path: Path,
) -> None:
    runs, uid = FakeRuns(), "0b9ddf54-66a5-4f6d-9d4b-7c7e4d9d2f10"
    spec = TrackingSpec(mlflow_uri="http://mlflow", experiment="vppo")
    first = Tracker.open(tmp_path / "a" / uid, spec, job="demo", connect=runs.connect)
    for step in (1, 2):
        first.log_step(step, {"reward_mean": 0.1})
    assert first.close("FAILED", timeout_seconds=10.0)

    folder = tmp_path / "b" / uid
    folder.mkdir(parents=True)
    lines = [{"step": n, "time": float(n), "reward_mean": 0.2, "gone": 1} for n in range(1, 5)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    second = Tracker.open(folder, spec, job="demo", attempt=2, resumed_step=4, connect=runs.connect)
    second.log_step(5, {"reward_mean": 0.3})
    assert second.close("FINISHED", timeout_seconds=10.0)
    assert runs.curve("reward/mean") == [(1, 0.1), (2, 0.1), (3, 0.2), (4, 0.2), (5, 0.3)]
    assert len(runs.runs) == 3
