"""Advantage of a response: its reward against the other answers to the same prompt."""

from typing import Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor

AdvantageKind = Literal["group_std", "group_mean", "leave_one_out"]


def group_advantages(
    rewards: Float[Tensor, " B"],
    group_index: Int[Tensor, " B"],
    *,
    kind: str = "group_std",
    epsilon: float = 1e-6,
) -> Float[Tensor, " B"]:
    """Reward minus the baseline of its group; exactly 0 where all rewards of a group are equal.

    `group_std`: (R - mean) / (std + epsilon), std unbiased. `group_mean`: R - mean.
    `leave_one_out`: R - mean of the other answers.

    Args:
        rewards: one per response.
        group_index: any integer that names the prompt; groups may differ in size and be scattered.

    Source: VPPO, arXiv:2510.09285v2, Eq. 1; VPPO-RL a23c54b, compute_grpo_outcome_advantage. There
        equal rewards can leave a rounding residue divided by epsilon; here they cannot.
    """
    if kind not in get_args(AdvantageKind):
        known = ", ".join(get_args(AdvantageKind))
        raise ValueError(f"kind must be one of {known}, got {kind!r}")
    if len(rewards) == 0:
        return rewards.clone()
    _, inverse, counts = torch.unique(group_index, return_inverse=True, return_counts=True)
    order = torch.argsort(inverse, stable=True)

    def per_group(values: Tensor, reduce: str) -> Tensor:
        # Segments of sorted rows, not index_add: the same order of addition on every device.
        return torch.segment_reduce(values[order], reduce, lengths=counts)[inverse]

    exact, size = rewards.double(), counts[inverse].double()
    centred = exact - per_group(exact, "sum") / size
    if kind == "group_std":
        variance = per_group(centred.square(), "sum") / (size - 1).clamp(min=1)
        centred = centred / (variance.sqrt() + epsilon)
    elif kind == "leave_one_out":
        centred = centred * size / (size - 1).clamp(min=1)
    is_flat = per_group(exact, "max") == per_group(exact, "min")
    return torch.where(is_flat, 0.0, centred).to(rewards.dtype)
