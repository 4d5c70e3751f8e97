"""Trajectories + rewards + dependency -> finished advantages and masks: the method, in one place.

Everything is computed once over the whole optimizer mini-batch, before the learner. The learner
then holds no word of VPPO: GRPO, DAPO and VPPO are the same learner with other arrays.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from vppo_core.algo.advantage import group_advantages
from vppo_core.algo.dependency import trajectory_dependency
from vppo_core.algo.filtering import token_keep_mask
from vppo_core.algo.loss import mismatch_weights
from vppo_core.algo.shaping import (
    reference_shaping_weights,
    shape_advantages,
    shaping_weights,
)
from vppo_core.batch.axes import BoolArray, FloatArray, pad_right
from vppo_core.batch.training import TrainingBatch
from vppo_core.spec.algorithm import AlgorithmSpec, Shaping, ShapingScope, ShapingTarget
from vppo_services.driver.groups import GroupArrays


@dataclass(frozen=True, slots=True)
class Assembled:
    """A mini-batch for the learner, and the intermediate arrays that metrics and report show."""

    batch: TrainingBatch
    rewards: FloatArray  # [B]
    token_dependency: FloatArray  # [B, T]
    keep_mask: BoolArray  # [B, T]
    shaping_weights: FloatArray  # [B]
    is_perturbed: BoolArray  # [B]
    rollout_log_probs: FloatArray  # [B, T]


def assemble(groups: Sequence[GroupArrays], algorithm: AlgorithmSpec) -> Assembled:
    """One optimizer mini-batch of whole groups; TAS and TGF see all of it."""
    rows = _Rows(groups)
    mask = torch.from_numpy(rows.mask)
    dependency = torch.from_numpy(rows.dependency)
    perturbed = torch.from_numpy(rows.is_perturbed)

    advantages = group_advantages(
        torch.from_numpy(rows.rewards),
        torch.from_numpy(rows.prompt_index.astype(np.int64)),
        kind=algorithm.advantage.value,
    )
    weights = _shaping(trajectory_dependency(dependency, mask), mask, perturbed, algorithm)
    advantages = shape_advantages(
        advantages,
        weights,
        positive_only=algorithm.shaping_target is ShapingTarget.POSITIVE_ONLY,
    )
    keep = token_keep_mask(
        dependency,
        mask,
        perturbed,
        keep_ratio=algorithm.token_keep_ratio,
        rounding=algorithm.token_keep_rounding.value,
    )
    correction = mismatch_weights(
        torch.from_numpy(rows.old_log_probs),
        torch.from_numpy(rows.rollout_log_probs),
        cap=algorithm.mismatch_cap,
    )
    batch = TrainingBatch(
        prompt_index=rows.prompt_index,
        response_ids=rows.response_ids,
        response_mask=rows.mask,
        old_log_probs=rows.old_log_probs,
        ref_log_probs=rows.ref_log_probs,
        advantages=advantages.float().numpy(),
        token_weights=(correction * keep).float().numpy(),
        policy_versions=rows.policy_versions,
        num_response_tokens=int(rows.mask.sum()),
    )
    return Assembled(
        batch,
        rows.rewards,
        rows.dependency,
        keep.numpy(),
        weights.float().numpy(),
        rows.is_perturbed,
        rows.rollout_log_probs,
    )


def _shaping(
    dependency: torch.Tensor, mask: torch.Tensor, perturbed: torch.Tensor, algorithm: AlgorithmSpec
) -> torch.Tensor:
    if algorithm.shaping is Shaping.NONE:
        return torch.ones_like(dependency)
    lengths = mask.sum(dim=1)
    valid = perturbed & (lengths > 0)
    if algorithm.shaping_scope is ShapingScope.REFERENCE_DEVICE:
        return reference_shaping_weights(dependency, lengths, valid, minimum=algorithm.shaping_min)
    fixed = algorithm.shaping is Shaping.FIXED
    return shaping_weights(
        dependency,
        valid,
        minimum=algorithm.shaping_min,
        maximum=algorithm.shaping_max if fixed else None,
        cap=algorithm.shaping_cap,
    )


class _Rows:
    """The arrays of all groups, joined along B and padded to one T."""

    def __init__(self, groups: Sequence[GroupArrays]) -> None:
        trajectories = [group.trajectories for group in groups]
        scores = [group.scores for group in groups]
        sizes = [len(batch) for batch in trajectories]
        self.prompt_index = np.repeat(np.arange(len(groups), dtype=np.int32), sizes)
        self.policy_versions = np.repeat(
            np.array([batch.policy_version for batch in trajectories], dtype=np.int32), sizes
        )
        self.rewards = np.concatenate([group.rewards.rewards for group in groups])
        self.is_perturbed = np.concatenate([batch.is_perturbed for batch in scores])
        self.response_ids = _join([b.response_ids for b in trajectories], np.int32)
        self.mask = _join([b.response_mask for b in trajectories], np.bool_)
        self.rollout_log_probs = _join([b.rollout_log_probs for b in trajectories], np.float32)
        self.old_log_probs = _join([b.old_log_probs for b in scores], np.float32)
        self.ref_log_probs = _join([b.ref_log_probs for b in scores], np.float32)
        self.dependency = _join([b.token_dependency for b in scores], np.float32)


def _join(parts: list[Any], dtype: type) -> Any:
    return pad_right([row for part in parts for row in part], dtype)
