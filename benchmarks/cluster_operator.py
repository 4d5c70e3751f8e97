"""The operator on a real API server: many jobs at once, and one job at a time.

KubeRay's kinds are served without KubeRay: what is measured is ours, from a VPPOJob to its RayJob.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import psutil
import yaml
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.tables import Result, on_the_wire
from tests.integration.kube.crds import loose_crd, serve
from tests.integration.kube.server import ApiServer, free_ports, running_server
from vppo_core.errors import VPPOError
from vppo_core.kube.kinds import (
    NAMESPACES,
    RAY_CLUSTERS,
    RAY_JOBS,
    VPPO_JOBS,
)
from vppo_core.spec.crd import vppojob_crd

JOB = Path(__file__).parents[1] / "helm" / "examples" / "demo-vppo.yaml"
NAMESPACE = "bench"
MIB = 2**20
START_SECONDS = 60.0
MAX_ALL_SECONDS = 60.0
MAX_OPERATOR_MIB = 300.0
PLATFORM = {
    "pools": [{"name": "cpu", "nodes": {"cpusPerNode": 4, "memoryMibPerNode": 8192}}],
    "queues": [{"name": "default", "pool": "cpu"}],
    "cluster": {"image": "vppo:bench", "storage": {"claim": "runs"}},
}


@dataclass(frozen=True, slots=True)
class OperatorOptions:
    """How many jobs."""

    jobs: int = 1000
    """Created at once, by 16 writers."""

    singles: int = 100
    """Created one after another, while nothing else happens."""


def run(options: OperatorOptions) -> tuple[dict[str, Any], list[Result]]:
    """The report and its lines of the table.

    Raises:
        VPPOError: KUBEBUILDER_ASSETS names no API server, or the operator does not do its work.
    """
    named = os.environ.get("KUBEBUILDER_ASSETS", "")
    if not named:
        raise VPPOError(
            "KUBEBUILDER_ASSETS must name a folder with etcd, kube-apiserver and kubectl, got "
            "nothing; `setup-envtest use` makes one"
        )
    with (
        tempfile.TemporaryDirectory(prefix="vppo-bench-") as folder,
        running_server(Path(folder), Path(named)) as server,
    ):
        _prepare(server)
        with _operator(Path(folder), server) as (process, metrics):
            calls_before, cpu_before = _calls(metrics), _cpu(process)
            many = _many(server, options.jobs)
            calls = (_calls(metrics) - calls_before) / options.jobs
            cpu = 1e3 * (_cpu(process) - cpu_before) / options.jobs
            memory = process.memory_info().rss / MIB
            single = _single(server, options.singles)
    report = {
        "shape": on_the_wire(options),
        "many": {**many, "operatorMiB": memory, "apiCallsPerJob": calls, "cpuMsPerJob": cpu},
        "single": single,
    }
    return report, [
        Result(f"{options.jobs:,} jobs, all RayJobs there", many["seconds"], "s", MAX_ALL_SECONDS),
        Result("memory of the operator then", memory, "MiB", MAX_OPERATOR_MIB),
        Result("API calls for each job", calls, "calls"),
        Result("CPU time of the operator for each job", cpu, "ms"),
        Result("from a job to its RayJob, median", single["medianMs"], "ms"),
        Result("from a job to its RayJob, p99", single["p99Ms"], "ms"),
    ]


def _prepare(server: ApiServer) -> None:
    kube = server.kube()
    serve(kube, VPPO_JOBS, vppojob_crd())
    for kind in (RAY_JOBS, RAY_CLUSTERS):
        serve(kube, kind, loose_crd(kind))
    kube.create(
        NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    )


@contextmanager
def _operator(folder: Path, server: ApiServer) -> Iterator[tuple[psutil.Process, str]]:
    """The operator as a process, and the address of its metrics."""
    platform = folder / "platform.yaml"
    platform.write_text(yaml.safe_dump(PLATFORM))
    [port] = free_ports(1)
    environment = {
        **os.environ,
        "KUBECONFIG": str(server.kubeconfig()),
        "OPERATOR_PLATFORM_FILE": str(platform),
        "OPERATOR_STATE": str(folder / "state"),
        "OPERATOR_METRICS_HOST": "127.0.0.1",
        "OPERATOR_METRICS_PORT": str(port),
    }
    log = folder / "operator.log"
    with log.open("wb") as stream:
        command = [sys.executable, "-m", "vppo_operator"]
        child = subprocess.Popen(command, env=environment, stdout=stream, stderr=stream)
    try:
        address = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + START_SECONDS
        while not _is_ready(address):
            if child.poll() is not None or time.monotonic() > deadline:
                raise VPPOError(f"the operator must get ready, got {log.read_text()[-2000:]}")
            time.sleep(0.1)
        yield psutil.Process(child.pid), f"{address}/metrics"
    finally:
        child.terminate()
        child.wait(60)


def _is_ready(address: str) -> bool:
    try:
        return httpx.get(f"{address}/readyz", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


@cache
def _demo() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(JOB.read_text())
    return document


def _job(name: str) -> dict[str, Any]:
    return {**_demo(), "metadata": {"name": name, "namespace": NAMESPACE}}


def _many(server: ApiServer, count: int) -> dict[str, float]:
    """Seconds from the first creation to the last RayJob."""
    kube = server.kube()
    path = RAY_JOBS.path(NAMESPACE)
    started = time.perf_counter()
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda n: kube.create(VPPO_JOBS, _job(f"many-{n}")), range(count)))
    created = time.perf_counter() - started
    with server.http() as http:
        while _count(http, path) < count:
            if time.perf_counter() - started > 10 * MAX_ALL_SECONDS:
                raise VPPOError(f"{count} RayJobs must come, got {_count(http, path)}")
            time.sleep(0.25)
    return {"createdSeconds": created, "seconds": time.perf_counter() - started}


def _count(http: httpx.Client, path: str) -> int:
    """Objects of a kind, without reading them."""
    page = http.get(path, params={"limit": 1}).json()
    left = page["metadata"].get("remainingItemCount") or 0
    return len(page["items"]) + int(left)


def _single(server: ApiServer, count: int) -> dict[str, float]:
    """Milliseconds from the answer to a creation until the RayJob is seen by a watch."""
    kube, seen, arrived = server.kube(), {}, threading.Event()

    def watch() -> None:
        with (
            suppress(httpx.TransportError),  # the server ends before the watch does
            server.http() as http,
            http.stream(
                "GET",
                RAY_JOBS.path(NAMESPACE),
                params={"watch": "true", "labelSelector": "vppo.io/job"},
                timeout=None,
            ) as lines,
        ):
            for line in lines.iter_lines():
                event = json.loads(line)
                if event["type"] == "ADDED":
                    seen.setdefault(event["object"]["metadata"]["name"], time.perf_counter())
                    arrived.set()

    threading.Thread(target=watch, daemon=True).start()
    time.sleep(2.0)
    delays = []
    for number in range(count):
        kube.create(VPPO_JOBS, _job(f"single-{number}"))
        created = time.perf_counter()
        while f"single-{number}-a1" not in seen:
            if not arrived.wait(START_SECONDS):
                raise VPPOError(f"single-{number} must get a RayJob, got none")
            arrived.clear()
        delays.append(1e3 * (seen[f"single-{number}-a1"] - created))
    delays.sort()
    return {
        "medianMs": statistics.median(delays),
        "p99Ms": delays[min(len(delays) - 1, round(0.99 * len(delays)))],
        "maxMs": delays[-1],
    }


def _cpu(process: psutil.Process) -> float:
    """Seconds that it computed so far."""
    times = process.cpu_times()
    return float(times.user + times.system)


def _calls(metrics: str) -> float:
    """API calls that the operator made so far."""
    text = httpx.get(metrics, trust_env=False).text
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "vppo_operator_api_calls_total"
    )
