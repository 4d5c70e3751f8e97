"""A rollout replica as a Ray process."""

from collections.abc import Iterator, Sequence
from typing import Any

import ray

from vppo_core.batch.axes import nbytes
from vppo_core.spec.job import VPPOJobSpec
from vppo_services.rollout.sampling import SamplingSettings
from vppo_services.transport.busy import BusyClock
from vppo_services.transport.refs import BatchInfo
from vppo_services.transport.threads import pin_threads
from vppo_services.transport.weights import WeightManifest, WeightReceiver


class RolloutDeployment:
    """Samples groups under the current weights; takes new ones between two calls."""

    def __init__(self, job: VPPOJobSpec) -> None:
        pool = job.placement.rollout
        pin_threads(pool.cpus)
        from vppo_services.rollout.engine import create_engine

        self._device = "cuda" if pool.gpus else "cpu"
        self._engine = create_engine(
            job.model,
            job.rollout,
            job.seed,
            max_prompt_tokens=job.data.max_prompt_tokens,
            device=self._device,
        )
        self._timeout = job.learner.timeout_seconds
        self._receiver: WeightReceiver | None = None
        self._busy = BusyClock()

    def connect_weights(self, address: str, rank: int, world: int) -> None:
        """Join the learner's broadcast group."""
        self._receiver = WeightReceiver.connect(
            address, rank, world, device=self._device, timeout_seconds=self._timeout
        )

    def receive_weights(self, manifest: WeightManifest, version: int) -> int:
        """Take one transfer; the version that this replica answers from now on."""
        assert self._receiver is not None
        self._engine.load_weights(self._receiver.receive(manifest), version)
        return self._engine.policy_version

    def generate(self, prompt_refs: Sequence[Any], settings: SamplingSettings) -> Iterator[Any]:
        """For each finished group a BatchInfo, then its TrajectoryBatch: two objects a group."""
        prompts = (ray.get(ref) for ref in prompt_refs)
        with self._busy.working():
            for position, trajectories in self._engine.generate(prompts, settings):
                yield BatchInfo(
                    position, len(trajectories), nbytes(trajectories), trajectories.policy_version
                )
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

    def take_busy_seconds(self) -> float:
        """Seconds of computing since this was last asked."""
        return self._busy.take()

    def ping(self) -> int:
        """The policy version, when the process is alive."""
        return self._engine.policy_version


def start(job: VPPOJobSpec, options: dict[str, Any]) -> Any:
    """A handle to a new replica; `options` are Ray's."""
    return ray.remote(RolloutDeployment).options(**options).remote(job)
