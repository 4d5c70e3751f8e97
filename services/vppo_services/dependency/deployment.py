"""A dependency replica as a Ray process."""

from typing import Any

import ray

from vppo_core.batch.prompts import PromptBatch
from vppo_core.batch.scores import DependencyBatch
from vppo_core.batch.trajectories import TrajectoryBatch
from vppo_core.spec.job import VPPOJobSpec
from vppo_services.transport.busy import BusyClock
from vppo_services.transport.threads import pin_threads
from vppo_services.transport.weights import WeightManifest, WeightReceiver


class DependencyDeployment:
    """Scores groups as they come; takes new weights between two of them."""

    def __init__(self, job: VPPOJobSpec) -> None:
        pool = job.placement.dependency
        pin_threads(pool.cpus)
        from vppo_services.dependency.engine import DependencyEngine

        self._device = "cuda" if pool.gpus else "cpu"
        self._engine = DependencyEngine(job, device=self._device)
        self._timeout = job.learner.timeout_seconds
        self._receiver: WeightReceiver | None = None
        self._busy = BusyClock()

    def connect_weights(self, address: str, rank: int, world: int) -> None:
        """Join the learner's broadcast group."""
        self._receiver = WeightReceiver.connect(
            address, rank, world, device=self._device, timeout_seconds=self._timeout
        )

    def receive_weights(self, manifest: WeightManifest, version: int) -> int:
        """Take one transfer; the version that this replica answers with from now on."""
        assert self._receiver is not None
        self._engine.load_weights(self._receiver.receive(manifest), version)
        return self._engine.policy_version

    def score(self, prompts: PromptBatch, trajectories: TrajectoryBatch) -> DependencyBatch:
        """Log-probs and token dependency of a group."""
        with self._busy.working():
            return self._engine.score(prompts, trajectories)

    def take_busy_seconds(self) -> float:
        """Seconds of computing since this was last asked."""
        return self._busy.take()

    def ping(self) -> int:
        """The policy version, when the process is alive."""
        return self._engine.policy_version


def start(job: VPPOJobSpec, options: dict[str, Any]) -> Any:
    """A handle to a new replica; `options` are Ray's."""
    return ray.remote(DependencyDeployment).options(**options).remote(job)
