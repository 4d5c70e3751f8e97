"""A group on its way through a step: references, and the few numbers that the driver looks at."""

from dataclasses import dataclass
from typing import Any

import ray

from vppo_core.batch.prompts import PromptBatch
from vppo_core.batch.scores import DependencyBatch, RewardBatch
from vppo_core.batch.trajectories import TrajectoryBatch
from vppo_services.transport.refs import BatchRef


@dataclass(frozen=True, slots=True)
class Group:
    """One prompt with its graded rollouts; `scores` may still be on its way."""

    prompts: BatchRef[PromptBatch]
    trajectories: BatchRef[TrajectoryBatch]
    rewards: RewardBatch
    scores: Any  # ObjectRef of a DependencyBatch
    response_tokens: int  # of all its rollouts

    def __len__(self) -> int:
        """Number of rollouts."""
        return self.trajectories.rows

    @property
    def policy_version(self) -> int:
        """Version that sampled and scored the group."""
        return self.trajectories.policy_version

    def fetch(self) -> "GroupArrays":
        """The arrays themselves; only `assemble`, checkpoints and the report ask for them."""
        prompts, trajectories, scores = ray.get(
            [self.prompts.ref, self.trajectories.ref, self.scores]
        )
        return GroupArrays(prompts, trajectories, self.rewards, scores)


@dataclass(frozen=True, slots=True)
class GroupArrays:
    """A group with its arrays at hand."""

    prompts: PromptBatch
    trajectories: TrajectoryBatch
    rewards: RewardBatch
    scores: DependencyBatch
