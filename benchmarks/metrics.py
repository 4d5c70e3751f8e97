"""What metrics cost: seconds of a step in the driver and the roles, size and time of a scrape."""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final
from urllib.error import URLError
from urllib.request import urlopen

from benchmarks.job import JOB, JobOptions
from benchmarks.metrics_driver import Times
from benchmarks.metrics_roles import RoleCosts, measure_roles
from benchmarks.tables import Result, Steps, median_of
from vppo_core.spec.job import VPPOJobSpec
from vppo_core.spec.loading import load_job
from vppo_core.spec.placement import PoolSpec
from vppo_services.demo.ensure import resolve_job
from vppo_services.observability.record import read_steps

MAX_OVERHEAD: Final = 0.005
_BESIDE: Final = frozenset({"sampling_values", "training_values", "ask_reports"})
"""What the driver does while it waits for an update or for weights anyway: no step waits for it."""

_LOOK_SECONDS: Final = 2.0
_OURS: Final = ("ray_vppo_", "ray_vllm_")


@dataclass(frozen=True, slots=True)
class MetricsOptions(JobOptions):
    """The job is that of `job`."""

    steps: int = 30  # long enough for Ray's agent to show all roles


@dataclass(frozen=True, slots=True)
class Scrape:
    """One look at one page."""

    size_bytes: int
    seconds: float
    series: int
    own_series: int  # ours and vLLM's


def run(options: MetricsOptions) -> tuple[dict[str, Any], list[Result]]:
    """The report and its lines of the table.

    Raises:
        subprocess.CalledProcessError: the job failed; it has said why.
    """
    job = resolve_job(load_job(JOB.read_text(), options.settings).spec)
    roles = measure_roles(job)
    with tempfile.TemporaryDirectory(prefix="vppo-bench-") as folder:
        steps, times, pages = _train(options, Path(folder))
    step_seconds = median_of(steps, "step_seconds")
    driver, driver_cpu = (_driver_seconds(times, len(steps), part) for part in (0, 1))
    beside = {name: driver.pop(name) for name in _BESIDE & driver.keys()}
    calls = _calls(steps, job.learner.prompts_per_update)
    processes = sum(pool.replicas for pool in _pools(job))
    in_roles = calls * roles.call + processes * roles.flush
    in_vllm = median_of(steps, "sampling_rounds") * roles.vllm_round
    report = {
        "steps": len(steps),
        "stepSeconds": step_seconds,
        "driver": driver,
        "driverBeside": beside,
        "driverCpu": driver_cpu,
        "roles": {
            "callsPerStep": calls,
            "secondsPerCall": roles.call,
            "processes": processes,
            "secondsPerFlush": roles.flush,
            "seconds": in_roles,
        },
        "vllm": {**_vllm(roles), "secondsPerStep": in_vllm},
        "overheadShare": (sum(driver.values()) + in_roles + in_vllm) / step_seconds,
        "pages": {name: asdict(page) for name, page in pages.items()},
    }
    return report, _results(report, pages)


def _train(options: MetricsOptions, folder: Path) -> tuple[Steps, Times, dict[str, Scrape]]:
    job, output, times = folder / "job.json", folder / "run", folder / "times.json"
    job.write_text(load_job(JOB.read_text(), options.settings).model_dump_json(by_alias=True))
    command = [sys.executable, "-m", "benchmarks.metrics_driver", str(times), "--job", str(job)]
    child = subprocess.Popen([*command, "--output", str(output)])
    pages: dict[str, Scrape] = {}
    while child.poll() is None:
        time.sleep(_LOOK_SECONDS)
        pages |= _scrape(output / "metrics.json")
    if child.returncode:
        raise subprocess.CalledProcessError(child.returncode, command)
    steps = [step for step in read_steps(output / "metrics.jsonl") if "step_seconds" in step]
    return steps, json.loads(times.read_text()), pages


def _scrape(endpoint: Path) -> dict[str, Scrape]:
    """Every page of the run that can be read now."""
    try:
        told = json.loads(endpoint.read_text())
        return {
            name: _look(url)
            for name, urls in (("run", [told["url"]]), ("ray", told["ray"]))
            for url in urls
        }
    except (URLError, OSError):
        return {}


def _look(url: str) -> Scrape:
    started = time.perf_counter()
    with urlopen(url, timeout=10.0) as answer:
        page = answer.read()
    seconds = time.perf_counter() - started
    series = [line for line in page.decode().splitlines() if line and not line.startswith("#")]
    own = sum(line.startswith(_OURS) for line in series)
    return Scrape(len(page), seconds, len(series), own)


def _driver_seconds(times: Times, steps: int, part: int) -> dict[str, float]:
    """Seconds of a step by what was called: the median call, as often as a step calls it."""
    return {
        name: statistics.median(call[part] for call in calls) * len(calls) / steps
        for name, calls in times.items()
        if calls
    }


def _calls(steps: Steps, prompts_per_update: int) -> float:
    """Calls of all roles in a step: each group is told, graded and scored; updates; the rounds."""
    sampled, kept = median_of(steps, "groups_sampled"), median_of(steps, "groups_kept")
    updates = -(-kept // prompts_per_update)
    return 3 * sampled + updates + median_of(steps, "sampling_rounds")


def _pools(job: VPPOJobSpec) -> tuple[PoolSpec, ...]:
    placement = job.placement
    return placement.rollout, placement.reward, placement.dependency, placement.learner


def _vllm(roles: RoleCosts) -> dict[str, float]:
    share = roles.vllm_round / roles.round if roles.round else 0.0
    return {"secondsPerRound": roles.vllm_round, "shareOfRound": share}


def _results(report: dict[str, Any], pages: dict[str, Scrape]) -> list[Result]:
    step = report["stepSeconds"]
    lines = [
        Result("metrics, of a step", report["overheadShare"], "share", MAX_OVERHEAD),
        Result("in the driver", sum(report["driver"].values()) / step, "share"),
        Result("beside the roles", sum(report["driverBeside"].values()) / step, "share"),
        Result("CPU in the driver", sum(report["driverCpu"].values()) / step, "share"),
        Result("in the roles", report["roles"]["seconds"] / step, "share"),
        Result("of vLLM itself", report["vllm"]["secondsPerStep"] / step, "share"),
    ]
    for name, page in pages.items():
        lines += [
            Result(f"scrape of page {name}", page.seconds * 1000, "ms"),
            Result(f"size of page {name}", page.size_bytes / 1024, "KiB"),
            Result(f"series on page {name}", page.series, "series"),
        ]
    return lines
