"""A group on its way through a step: references, and the few numbers that the driver looks at."""

from dataclasses import dataclass
from typing import Any

import ray

from vppo_core.batch.axes import nbytes
from vppo_core.batch.prompts import PromptBatch
from vppo_core.batch.scores import DependencyBatch, RewardBatch
from vppo_core.batch.trajectories import TrajectoryBatch
from vppo_services.transport.refs import BatchRef


@dataclass(frozen=True, slots=True)
class Group:
    """One prompt with its graded rollouts; `scores` may still be on its way."""

    prompts: BatchRef[PromptBatch]
    trajectories: Any  # ObjectRef of a TrajectoryBatch
    rewards: RewardBatch
    scores: Any  # ObjectRef of a DependencyBatch
    policy_version: int

    def fetch(self) -> "GroupArrays":
        """The arrays themselves; only `assemble`, checkpoints and the report ask for them."""
        prompts, trajectories, scores = ray.get([self.prompts.ref, self.trajectories, self.scores])
        return GroupArrays(prompts, trajectories, self.rewards, scores)


@dataclass(frozen=True, slots=True)
class GroupArrays:
    """A group with its arrays at hand."""

    prompts: PromptBatch
    trajectories: TrajectoryBatch
    rewards: RewardBatch
    scores: DependencyBatch

    @property
    def num_bytes(self) -> int:
        """Bytes that the group's trajectories and scores take in the object store."""
        return nbytes(self.trajectories) + nbytes(self.rewards) + nbytes(self.scores)
