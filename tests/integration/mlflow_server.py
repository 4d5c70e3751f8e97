"""A real MLflow server on SQLite, and what it has of a job."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen


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


@dataclass
class Found:
    """The runs of one job: its own by the name of the job, and those of its attempts."""

    client: Any
    runs: dict[str, Any]

    def curve(self, name: str, key: str) -> list[int]:
        """Steps of a metric in one run, in the order in which they were made."""
        history = self.client.get_metric_history(self.runs[name].info.run_id, key)
        return [point.step for point in sorted(history, key=lambda p: (p.timestamp, p.step))]

    def artifacts(self, name: str) -> set[str]:
        files = self.client.list_artifacts(self.runs[name].info.run_id)
        return {file.path for file in files}


def found(uri: str, experiment: str) -> Found:
    from mlflow import MlflowClient

    client = MlflowClient(uri)
    place = client.get_experiment_by_name(experiment)
    return Found(client, {r.info.run_name: r for r in client.search_runs([place.experiment_id])})


def wait_until(is_so: Callable[[], bool], *, seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.1)
