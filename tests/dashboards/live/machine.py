"""The control plane of one machine with a job, and a Prometheus that reads it as users' do."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import yaml

from tests.dashboards.live.prometheus import free_port
from tests.dashboards.live.readiness import await_ready
from tests.dashboards.live.recorded import POD
from tests.integration.small_job import small_spec

ROOT: Final = Path(__file__).parents[3]
CONFIG: Final = ROOT / "helm" / "monitoring" / "prometheus.yaml"
JOB: Final = "watched"
STEPS: Final = 40
JOB_SECONDS: Final = 480.0
_GRADER: Final = "def grade(text, answer):\n    return float(len(text) % 2)\n"


def config(*, api: int, operator: int, recorded: int) -> dict[str, Any]:
    """`helm/monitoring/prometheus.yaml` with other ports and shorter times, and what a machine
    without GPUs and cluster lacks.
    """
    text = CONFIG.read_text().replace("localhost:8080", f"127.0.0.1:{api}")
    content: dict[str, Any] = yaml.safe_load(text)
    content["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    content["rule_files"] = [str(CONFIG.parent / path) for path in content["rule_files"]]
    for scrape in content["scrape_configs"]:
        for discovery in scrape.get("http_sd_configs", ()):
            discovery["refresh_interval"] = "1s"
    of_job = {"namespace": "default", "job_name": JOB, "attempt": "1", "role": "rollout"}
    more: tuple[tuple[str, str, int, dict[str, str]], ...] = (
        ("vppo-operator", "/metrics", operator, {}),
        ("recorded-ray", "/ray", recorded, {**of_job, "job": "vppo-ray", "pod": POD}),
        ("kube-state-metrics", "/kube", recorded, {}),
        ("dcgm-exporter", "/dcgm", recorded, {}),
    )
    content["scrape_configs"] += [
        {
            "job_name": name,
            "metrics_path": path,
            "honor_labels": True,
            "static_configs": [{"targets": [f"127.0.0.1:{port}"], "labels": labels}],
        }
        for name, path, port, labels in more
    ]
    return content


def job_text() -> str:
    """A small job that measures everything that a job can."""
    spec = small_spec(
        timeout_seconds=5.0,
        num_steps=STEPS,
        data={"validationSource": "demo://colours?split=validation"},
        evaluation={"maxPrompts": 4, "everySteps": 10},
        algorithm={"penalty": "entropy_full", "referenceKlCoef": 0.01},
        checkpoint={"everySteps": 10},
        tracking={"registerModel": False},
    )
    head = {"apiVersion": "vppo.io/v1alpha1", "kind": "VPPOJob", "metadata": {"name": JOB}}
    return yaml.safe_dump({**head, "spec": spec})


@dataclass(frozen=True, slots=True)
class Server:
    """A control plane that answers."""

    client: httpx.Client
    log: Path

    def submit(self, text: str) -> None:
        """A job begins its life."""
        head = {"content-type": "application/yaml"}
        answer = self.client.post("/jobs", content=text, headers=head)
        if answer.status_code != 201:
            raise RuntimeError(f"the job must be accepted, got {answer.text}")

    def phase(self, job: str) -> str:
        """Where it is in its life."""
        status = self.client.get(f"/jobs/{job}").json()["status"]
        return str(status["phase"])

    def pages(self) -> list[str]:
        """Addresses of the metrics pages of running drivers."""
        targets = self.client.get("/metrics/targets", params={"kind": "runs"}).json()
        return [
            f"http://{address}{one['labels']['__metrics_path__']}"
            for one in targets
            for address in one["targets"]
        ]

    def run(self, job: str, meanwhile: Callable[[], object]) -> None:
        """Wait for the end of its life, doing something every second.

        Raises:
            RuntimeError: it does not succeed, or not in time.
        """
        until = time.monotonic() + JOB_SECONDS
        while (phase := self.phase(job)) not in ("Succeeded", "Failed", "Cancelled"):
            if time.monotonic() > until:
                raise RuntimeError(f"the job must end within {JOB_SECONDS:.0f} s, it is {phase}")
            meanwhile()
            time.sleep(1.0)
        if phase != "Succeeded":
            log = self.client.get(f"/jobs/{job}/logs").text[-3000:]
            raise RuntimeError(f"the job must succeed, it {phase.lower()}: {log}")


@contextmanager
def serving(folder: Path, port: int) -> Iterator[Server]:
    """`vppo serve`, ended with its jobs."""
    (folder / "grader").mkdir()
    (folder / "grader" / "by_length.py").write_text(_GRADER)
    log_path = folder / "server.log"
    command = [str(Path(sys.executable).with_name("vppo")), "serve"]
    command += ["--port", str(port), "--state", str(folder / "state")]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("API_")}
    environment["PYTHONPATH"] = str(folder / "grader")
    with log_path.open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    base = f"http://127.0.0.1:{port}"
    with httpx.Client(base_url=base, timeout=30.0, trust_env=False) as client:
        try:
            await_ready(client, "/readyz", process, log_path)
            yield Server(client, log_path)
        finally:
            process.terminate()
            process.wait(timeout=60)


@contextmanager
def operator_page(folder: Path) -> Iterator[int]:
    """The operator's page in a process of its own; the port."""
    with (folder / "operator.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.dashboards.live.operator_page"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
        )
    assert process.stdin
    assert process.stdout
    try:
        line = process.stdout.readline()
        if not line:
            raise RuntimeError((folder / "operator.log").read_text()[-2000:])
        yield int(line)
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait(timeout=30)


def free_api_port() -> int:
    """A port for the server, which Prometheus is told before it starts."""
    return free_port()
