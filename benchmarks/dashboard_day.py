"""A day of jobs as OpenMetrics text: every series, with the labels that targets add."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import IO

from vppo_core.catalogue import EVERY, STAGES, Kind, Page
from vppo_core.dashboards.foreign import FOREIGN
from vppo_core.spec.status import FailureClass, JobPhase

DAY_SECONDS = 86_400
NODES = 4
CARDS = 8
"""GPUs of a node."""

ROLES = ("rollout", "reward", "dependency", "learner")
REPLICAS = 2
BUCKETS = (0.01, 0.1, 1.0, 10.0)
_OF_TARGET = ("job_namespace", "job_name", "namespace", "pod", "ip")
_TARGETS = {
    Page.RUN: "vppo-runs",
    Page.ROLES: "vppo-ray",
    Page.CONTROL: "vppo-operator",
    Page.OPERATOR: "vppo-operator",
    Page.API: "vppo-api",
}
_VALUES: dict[str, tuple[str, ...]] = {
    "stage": STAGES,
    "role": ROLES,
    "replica": tuple(map(str, range(REPLICAS))),
    "verdict": ("ok", "wrong", "timeout"),
    "sink": ("mlflow", "prometheus"),
    "phase": tuple(JobPhase),
    "failure_class": tuple(FailureClass),
    "use": ("productive", "lost", "idle"),
    "pool": ("h100", "cpu"),
    "kind": ("RayJob", "RayCluster"),
    "verb": ("get", "list", "patch", "create", "delete", "watch"),
    "resource": ("vppojobs", "rayjobs", "rayclusters", "pods", "configmaps"),
    "route": tuple(f"/jobs/{{name}}/part-{number}" for number in range(20)),
    "method": ("GET", "POST"),
    "status": ("200", "404", "503"),
    "result": ("delivered", "failed", "given_up"),
    "Location": ("MMAP_SHM", "MMAP_DISK", "SPILLED", "WORKER_HEAP"),
    "State": ("PendingSpill", "Spilled", "PendingRestore", "Restored", "Pinned"),
    "GpuIndex": tuple(map(str, range(CARDS))),
    "gpu": tuple(map(str, range(CARDS))),
    "Hostname": tuple(f"node-{number}" for number in range(NODES)),
    "node": tuple(f"node-{number}" for number in range(NODES)),
}


@dataclass(frozen=True, slots=True)
class Day:
    """What was written."""

    end: int
    samples: int
    series_of_a_job: int


@dataclass(frozen=True, slots=True)
class _Family:
    """A metric, and the labels of its series."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    buckets: tuple[float, ...]
    is_of_job: bool
    target: str

    def series(self, job: int) -> Iterator[str]:
        """All series of a job, or of the programs."""
        own = [label for label in self.labels if label not in _OF_TARGET]
        for values in product(*(_VALUES.get(label, ("x",)) for label in own)):
            pairs = [f'{label}="{value}"' for label, value in zip(own, values, strict=True)]
            for target in self._targets(job):
                labels = ",".join([*target, *pairs])
                if self.kind is not Kind.HISTOGRAM:
                    yield f"{self.name}{{{labels}}}"
                    continue
                for bound in (*map(str, self.buckets), "+Inf"):
                    yield f'{self.name}_bucket{{{labels},le="{bound}"}}'
                yield f"{self.name}_count{{{labels}}}"
                yield f"{self.name}_sum{{{labels}}}"

    def _targets(self, job: int) -> Iterator[tuple[str, ...]]:
        if self.target == "vppo-ray":
            nodes = range(1 if self.name.startswith("ray_vppo_") else NODES)
            for node in nodes:
                yield (*_of_job(job), 'job="vppo-ray"', f'instance="10.0.{job}.{node}:8080"')
        elif self.target == "vppo-runs":
            yield (*_of_job(job), 'job="vppo-runs"', f'instance="10.0.{job}.0:9464"')
        elif self.is_of_job:
            names = ('job_namespace="team"', f'job_name="job-{job}"')
            yield (*names, f'job="{self.target}"', 'instance="10.1.0.1:9090"')
        else:
            yield (f'job="{self.target}"', 'instance="10.1.0.1:9090"')


def _of_job(job: int) -> tuple[str, ...]:
    return ('namespace="team"', f'job_name="job-{job}"', 'attempt="1"', f'pod="job-{job}-a1"')


def _families() -> Iterator[_Family]:
    for entry in EVERY.values():
        target = _TARGETS[entry.page]
        is_of_job = target in ("vppo-runs", "vppo-ray") or "job_namespace" in entry.labels
        yield _Family(entry.series, entry.kind, entry.labels, entry.buckets, is_of_job, target)
    for other in FOREIGN.values():
        is_ray = other.name.startswith("ray_")
        target = "vppo-ray" if is_ray else other.source.split()[0]
        yield _Family(other.name, other.kind, other.labels, BUCKETS, is_ray, target)
    yield _Family("up", Kind.GAUGE, (), (), True, "vppo-ray")


def write_day(path: Path, *, jobs: int, job_seconds: int, scrape_seconds: int, end: int) -> Day:
    """Write the day that ends at `end`, seconds since the epoch.

    Args:
        jobs: that begin evenly over the day.
        job_seconds: that each of them trains.
        scrape_seconds: between two values of a series.
    """
    numbers = random.Random(0)
    begin = end - DAY_SECONDS
    samples = of_jobs = 0
    with path.open("w") as file:
        for family in _families():
            name = (
                family.name.removesuffix("_total") if family.kind is Kind.COUNTER else family.name
            )
            file.write(f"# TYPE {name} {family.kind.value}\n")
            spans = [(-1, begin, end)]
            if family.is_of_job:
                spans = _spans(jobs, begin, end, job_seconds)
            for job, first, last in spans:
                for series in family.series(job):
                    moments = range(first, last, scrape_seconds)
                    samples += _write(file, series, family.kind, moments, numbers)
                    of_jobs += job == 0
        file.write("# EOF\n")
    return Day(end, samples, of_jobs)


def _spans(jobs: int, begin: int, end: int, seconds: int) -> list[tuple[int, int, int]]:
    """Number, start and end of each job."""
    apart = (end - begin - seconds) // max(jobs - 1, 1)
    return [(job, begin + job * apart, begin + job * apart + seconds) for job in range(jobs)]


def _write(file: IO[str], series: str, kind: Kind, moments: range, numbers: random.Random) -> int:
    """A counter that grows, or a gauge that jitters. Buckets of a histogram grow alike."""
    value = 0.0
    for moment in moments:
        value = value + 10.0 * numbers.random() if kind is not Kind.GAUGE else numbers.random()
        file.write(f"{series} {value:.4f} {moment}\n")
    return len(moments)
