"""A rollout replica as a Ray process."""

from collections.abc import Iterator, Sequence
from typing import Any

import ray

from vppo_core.batch.axes import nbytes
from vppo_core.spec.job import VPPOJobSpec
from vppo_services.rollout.sampling import SamplingSettings
from vppo_services.transport.refs import BatchInfo
from vppo_services.transport.replica import Replica
from vppo_services.transport.role_log import RoleLog
from vppo_services.transport.threads import pin_threads


class RolloutDeployment(Replica):
    """Samples groups under the current weights; takes new ones between two calls."""

    def __init__(self, job: VPPOJobSpec, replica: int = 0) -> None:
        pool = job.placement.rollout
        pin_threads(pool.cpus)
        log = RoleLog("rollout", replica)
        from vppo_services.rollout.engine import create_engine

        device = "cuda" if pool.gpus else "cpu"
        self._engine = create_engine(
            job.model,
            job.rollout,
            job.seed,
            max_prompt_tokens=job.data.max_prompt_tokens,
            device=device,
        )
        super().__init__(
            self._engine,
            log,
            role="rollout",
            replica=replica,
            device=device,
            timeout_seconds=job.learner.timeout_seconds,
        )

    def generate(self, prompt_refs: Sequence[Any], settings: SamplingSettings) -> Iterator[Any]:
        """For each finished group a BatchInfo, then its TrajectoryBatch: two objects a group."""
        prompts = (ray.get(ref) for ref in prompt_refs)
        with self._metrics.working():
            for position, trajectories in self._engine.generate(prompts, settings):
                rows, tokens = len(trajectories), int(trajectories.response_mask.sum())
                self._metrics.progress(
                    replica_samples_generated=rows, replica_tokens_generated=tokens
                )
                version = trajectories.policy_version
                yield BatchInfo(position, rows, nbytes(trajectories), tokens, version)
                yield trajectories

    def cache_info(self) -> dict[str, float]:
        """What the engine reuses, by name."""
        return self._engine.cache_info()

    def policy_version(self) -> int:
        """Version of the weights that answer; 0 is the loaded checkpoint."""
        return self._engine.policy_version

    def close(self) -> None:
        """Give back the engine's memory."""
        self._engine.close()


def start(job: VPPOJobSpec, options: dict[str, Any], replica: int = 0) -> Any:
    """A handle to replica number `replica`; `options` are Ray's."""
    return ray.remote(RolloutDeployment).options(**options).remote(job, replica)
