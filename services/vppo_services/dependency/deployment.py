"""A dependency replica as a Ray process."""

from typing import Any

import ray

from vppo_core.batch.prompts import PromptBatch
from vppo_core.batch.scores import DependencyBatch
from vppo_core.batch.trajectories import TrajectoryBatch
from vppo_core.spec.job import VPPOJobSpec
from vppo_services.transport.replica import Replica
from vppo_services.transport.role_log import RoleLog
from vppo_services.transport.threads import pin_threads


class DependencyDeployment(Replica):
    """Scores groups as they come; takes new weights between two of them."""

    def __init__(self, job: VPPOJobSpec, replica: int = 0) -> None:
        pool = job.placement.dependency
        pin_threads(pool.cpus)
        log = RoleLog("dependency", replica)
        from vppo_services.dependency.engine import DependencyEngine

        device = "cuda" if pool.gpus else "cpu"
        self._engine = DependencyEngine(job, device=device)
        super().__init__(
            self._engine,
            log,
            role="dependency",
            replica=replica,
            device=device,
            timeout_seconds=job.learner.timeout_seconds,
        )

    def score(self, prompts: PromptBatch, trajectories: TrajectoryBatch) -> DependencyBatch:
        """Log-probs and token dependency of a group."""
        with self._metrics.working():
            return self._engine.score(prompts, trajectories)


def start(job: VPPOJobSpec, options: dict[str, Any], replica: int = 0) -> Any:
    """A handle to replica number `replica`; `options` are Ray's."""
    return ray.remote(DependencyDeployment).options(**options).remote(job, replica)
