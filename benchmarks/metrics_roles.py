"""What metrics cost inside the roles, measured in processes of Ray like theirs."""

import statistics
import time
from dataclasses import dataclass
from typing import Any, Final

import ray

from vppo_core.spec.job import VPPOJobSpec
from vppo_core.spec.rollout import RolloutEngine
from vppo_services.data.prompts import PromptFactory
from vppo_services.data.sources import read_rows
from vppo_services.driver.fleet import cpus_of
from vppo_services.policy.settings import load_processor
from vppo_services.rollout.deployment import RolloutDeployment
from vppo_services.rollout.sampling import SamplingSettings
from vppo_services.transport.node import pool_options, start_ray, stop_ray
from vppo_services.transport.role_metrics import RoleMetrics

_CALLS: Final = 2000
_FLUSHES: Final = 200
_ROUNDS: Final = 5


@dataclass(frozen=True, slots=True)
class RoleCosts:
    """Seconds of metrics."""

    call: float
    """Of one call of a role, everything counted."""

    flush: float
    """Of giving Ray what there is, which each process does at the end of a step."""

    vllm_round: float
    """Of vLLM's own, while it samples one step's prompts; 0 without vLLM."""

    round: float
    """Of that sampling as a whole."""


def measure_roles(job: VPPOJobSpec) -> RoleCosts:
    """Start a node of Ray for it, and end it."""
    start_ray(cpus=cpus_of(job), object_store_mib=job.placement.object_store_mib)
    try:
        call, flush = ray.get(ray.remote(_seconds_of_a_call).remote())
        if job.rollout.engine is not RolloutEngine.VLLM:
            return RoleCosts(call, flush, 0.0, 0.0)
        options = pool_options(job.placement.rollout, "rollout")
        replica = ray.remote(_probe()).options(**options).remote(job)
        return RoleCosts(call, flush, *ray.get(replica.costs.remote(_prompts(job), _settings(job))))
    finally:
        stop_ray()


def _seconds_of_a_call() -> tuple[float, float]:
    """And of a flush after it."""
    metrics = RoleMetrics("rollout", 0)
    started = time.perf_counter()
    for _ in range(_CALLS):
        with metrics.working():
            metrics.progress(replica_samples_generated=8, replica_tokens_generated=300)
    call = (time.perf_counter() - started) / _CALLS
    flushes = []
    for _ in range(_FLUSHES):
        with metrics.working():
            metrics.has_version(1)
        started = time.perf_counter()
        metrics.flush()
        flushes.append(time.perf_counter() - started)
    return call, statistics.median(flushes)


def _probe() -> type[Any]:
    # Made here, so that Ray sends the class itself: its workers do not know this folder.
    class Probe(RolloutDeployment):
        def costs(self, prompts: list[Any], settings: Any) -> tuple[float, float]:
            manager = self._engine._llm.llm_engine.logger_manager  # type: ignore[attr-defined]
            record, tell = manager.record, self._engine._tell  # type: ignore[attr-defined]
            spent = []

            def timed(call: Any, *arguments: Any, **named: Any) -> None:
                started = time.perf_counter()
                call(*arguments, **named)
                spent.append(time.perf_counter() - started)

            manager.record = lambda *a, **k: timed(record, *a, **k)
            self._engine._tell = lambda: timed(tell)  # type: ignore[attr-defined]
            best = (float("inf"), 0.0)
            for _ in range(_ROUNDS):
                spent.clear()
                started = time.perf_counter()
                list(self._engine.generate(iter(prompts), settings))
                best = min(best, (sum(spent), time.perf_counter() - started))
            return best

    return Probe


def _prompts(job: VPPOJobSpec) -> list[Any]:
    factory = PromptFactory(load_processor(job), job.data)
    rows = read_rows(job.data, job.data.source)
    return [factory.make(rows[index], 0) for index in range(job.rollout.prompts_per_step)]


def _settings(job: VPPOJobSpec) -> SamplingSettings:
    return SamplingSettings(
        group_size=job.rollout.group_size,
        max_tokens=job.rollout.max_response_tokens,
        temperature=job.rollout.temperature,
        run_seed=job.seed,
    )
