"""The series of jobs: how many there are by phase, and how each stands that is not over."""

import threading
from collections import Counter as Tally
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily

from vppo_core.instruments.families import gauge_family
from vppo_core.instruments.living import LivingJob, living_job
from vppo_core.spec.job import VPPOJobSpec
from vppo_core.spec.platform import PlatformSpec
from vppo_core.spec.status import JobPhase, VPPOJobStatus

Key = tuple[str, str]
"""Namespace and name."""

_VALUES: Final[Mapping[str, Callable[[LivingJob], float | None]]] = {
    "job_phase_timestamp_seconds": lambda job: job.since.timestamp(),
    "job_step": lambda job: job.step,
    "job_total_steps": lambda job: job.total_steps,
    "job_step_mean_seconds": lambda job: job.step_mean_seconds,
    "job_last_progress_timestamp_seconds": lambda job: (
        job.progressed.timestamp() if job.progressed else None
    ),
    "job_checkpoint_step": lambda job: job.checkpoint_step,
    "job_attempts": lambda job: job.attempts,
    "job_live_attempts": lambda job: job.live_attempts,
}
SERIES_OF_A_JOB: Final = len(_VALUES) + 1
"""The most series that one job has: these, and its phase."""


class JobBoard:
    """Jobs as they were seen last. A job that ends or is gone has no series from the next scrape
    on. Threads may share it."""

    def __init__(
        self,
        registry: CollectorRegistry,
        *,
        finished: Callable[[], Mapping[JobPhase, int]] | None = None,
    ) -> None:
        """Nothing is shown yet.

        Args:
            finished: counts the jobs that are over, by phase, at every scrape; None: those that
                were put here and not dropped count.
        """
        self._finished = finished
        self._jobs: dict[Key, LivingJob] = {}
        self._over: dict[Key, JobPhase] = {}
        self._offered: dict[str, int] = {}
        self._lock = threading.Lock()
        registry.register(self)

    def put(
        self,
        namespace: str,
        name: str,
        status: VPPOJobStatus,
        *,
        spec: VPPOJobSpec | None,
        platform: PlatformSpec,
        created: datetime,
        live_attempts: int,
        now: datetime,
    ) -> None:
        """Show a job as it is now.

        Args:
            spec: what was asked for; None where nobody can read it.
            created: when it was accepted.
            live_attempts: those that hold pods or processes.
        """
        key = (namespace, name)
        if status.phase.is_final:
            with self._lock:
                self._jobs.pop(key, None)
                self._over[key] = status.phase
            return
        before = self._jobs.get(key)
        job = living_job(
            status,
            spec=spec,
            platform=platform,
            created=created,
            live_attempts=live_attempts,
            before=before,
            now=now,
        )
        with self._lock:
            self._over.pop(key, None)
            self._jobs[key] = job

    def offer(self, platform: PlatformSpec) -> None:
        """The pools that jobs share."""
        self._offered = {pool.name: pool.gpus for pool in platform.pools}

    def drop(self, namespace: str, name: str) -> None:
        """The job is gone."""
        with self._lock:
            self._jobs.pop((namespace, name), None)
            self._over.pop((namespace, name), None)

    def keys(self) -> set[Key]:
        """Namespace and name of all jobs that were put here."""
        with self._lock:
            return {*self._jobs, *self._over}

    def phases(self) -> dict[JobPhase, int]:
        """How many jobs are in each phase."""
        with self._lock:
            tally = Tally(job.phase for job in self._jobs.values())
            if self._finished is None:
                tally.update(self._over.values())
        if self._finished is not None:
            tally.update(dict(self._finished()))
        return {phase: tally[phase] for phase in JobPhase}

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """All series, for the client; no two scrapes share any."""
        phases = gauge_family("jobs")
        for phase, count in self.phases().items():
            phases.add_metric([phase.value], count)
        yield phases
        with self._lock:
            jobs = sorted(self._jobs.items())
        in_phase = gauge_family("job_phase")
        for key, job in jobs:
            in_phase.add_metric([*key, job.phase.value], 1)
        yield in_phase
        for name, value_of in _VALUES.items():
            family = gauge_family(name)
            for key, job in jobs:
                value = value_of(job)
                if value is not None:
                    family.add_metric(list(key), value)
            yield family
        yield from self._pools([job for _, job in jobs])

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """The families without their series: registering must not ask for the counts."""
        yield from map(
            gauge_family, ("jobs", "job_phase", *_VALUES, "gpus_allocated", "gpus_offered")
        )

    def _pools(self, jobs: Iterable[LivingJob]) -> Iterator[GaugeMetricFamily]:
        offered = self._offered
        held = Tally(dict.fromkeys(offered, 0))
        for job in jobs:
            held.update(job.gpus)
        for key, gpus in (("gpus_allocated", held), ("gpus_offered", offered)):
            family = gauge_family(key)
            for pool, count in sorted(gpus.items()):
                family.add_metric([pool], count)
            yield family
