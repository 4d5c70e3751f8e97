"""A real MLflow server that is away at the start and in the middle of a run."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from vppo_core.spec.tracking import TrackingSpec
from vppo_services.observability.tracker import Tracker

pytestmark = pytest.mark.slow


class Server:
    """`mlflow server` on SQLite, which can be killed and started again on the same port."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "mlflow", "server", "--workers", "1"]
        command += ["--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--backend-store-uri", f"sqlite:///{self._folder / 'server.db'}"]
        command += ["--artifacts-destination", str(self._folder / "artifacts")]
        with (self._folder / "server.log").open("ab") as output:
            self._process = subprocess.Popen(
                command,
                stdout=output,
                stderr=output,
                start_new_session=True,
                env={
                    **os.environ,
                    "MLFLOW_DISABLE_TELEMETRY": "true",
                    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
                },
            )
        wait_until(self.is_up)

    def kill(self) -> None:
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def is_up(self) -> bool:
        try:
            with urlopen(f"{self.url}/health", timeout=1.0) as answer:
                return bool(answer.status == 200)
        except (URLError, OSError):
            return False


def wait_until(is_so: Callable[[], bool], *, seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.1)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    yield server
    server.kill()


def test_every_step_arrives_exactly_once_whenever_mlflow_is_away(
    server: Server, tmp_path: Path
) -> None:
    from mlflow import MlflowClient

    run = tmp_path / "run"
    tracking = TrackingSpec(mlflow_uri=server.url, experiment="outage")

    def log(tracker: Tracker, steps: range) -> float:
        slowest = 0.0
        for step in steps:
            before = time.monotonic()
            tracker.log_step(step, {"reward_mean": step / 100, "stage_seconds{sample}": 1.5})
            slowest = max(slowest, time.monotonic() - before)
        return slowest

    tracker = Tracker.open(run, tracking, job="demo")
    tracker.log_params({"seed": 7, "data": {"source": "demo://colours"}})
    slowest = log(tracker, range(10))
    assert tracker.mlflow_run_id == ""
    server.start()
    wait_until(lambda: tracker.mlflow_run_id != "")
    server.kill()  # most likely within a delivery
    slowest = max(slowest, log(tracker, range(10, 20)))
    assert not tracker.close("KILLED", timeout_seconds=0.5)

    resumed = Tracker.open(run, tracking, job="demo", resumed_step=14)
    slowest = max(slowest, log(resumed, range(15, 25)))
    server.start()
    resumed.log_artifact(run / "metrics.jsonl")
    assert resumed.close("FINISHED", timeout_seconds=120.0)

    client = MlflowClient(server.url)
    (found,) = client.search_runs([client.get_experiment_by_name("outage").experiment_id])
    assert found.info.run_id == resumed.mlflow_run_id
    assert found.info.status == "FINISHED"
    assert found.data.params == {"seed": "7", "data.source": "demo://colours"}
    for key in ("reward/mean", "time/stage_seconds/sample"):
        history = client.get_metric_history(found.info.run_id, key)
        assert sorted(point.step for point in history) == list(range(25))
    assert [file.path for file in client.list_artifacts(found.info.run_id)] == ["metrics.jsonl"]
    assert slowest < 1.0  # a dead server never holds up a step
