"""Trajectory-level advantage shaping (TAS): more say for responses that lean on the image.

Source: VPPO, arXiv:2510.09285v2, Eq. 5.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from vppo_core.algo.balance import balanced_parts

MIN_SPREAD = 1e-6
"""Nats between the largest and the smallest dependency below which there is nothing to shape."""


def shaping_weights(
    trajectory_dependency: Float[Tensor, " B"],
    is_valid: Bool[Tensor, " B"],
    *,
    minimum: float,
    maximum: float | None = None,
    cap: float = 0.0,
) -> Float[Tensor, " B"]:
    """Factor of each response's advantage; B is the whole optimizer mini-batch, over all ranks.

    Dynamic bound (`maximum` None): minimum + (1 - minimum) (S - min S) / (mean S - min S). Its mean
    is exactly 1: the official bound in closed form, from which max S cancels. Fixed bound: linear
    from `minimum` at min S to `maximum` at max S.

    All ones when fewer than two rows are valid or S is the same everywhere.

    Args:
        trajectory_dependency: nats.
        is_valid: False for rows without a perturbed image or without tokens. They and rows that
            are not finite weigh 1 and move neither minimum nor mean.
        minimum: weight of the row that leans on the image least, in [0, 1].
        maximum: weight of the row that leans on it most, or None.
        cap: upper bound of a weight; 0 means none. The mean is not centred again.

    Source: VPPO-RL a23c54b, dp_actor.py, takes min and max per device and the mean per micro-batch;
        `reference_shaping_weights` does the same.
    """
    scores = trajectory_dependency.double()
    is_used = is_valid & scores.isfinite()
    used = scores[is_used]
    weights = torch.ones_like(scores)
    if _is_flat(used):
        return weights.to(trajectory_dependency.dtype)
    low = used.min()
    if maximum is None:
        scaled = minimum + (1.0 - minimum) * (used - low) / (used.mean() - low)
    else:
        scaled = minimum + (maximum - minimum) * (used - low) / (used.max() - low)
    weights[is_used] = scaled.clamp(max=cap) if cap > 0.0 else scaled
    return weights.to(trajectory_dependency.dtype)


def reference_shaping_weights(
    trajectory_dependency: Float[Tensor, " B"],
    lengths: Int[Tensor, " B"],
    is_valid: Bool[Tensor, " B"],
    *,
    minimum: float,
    num_ranks: int = 8,
    micro_batch_size: int = 16,
) -> Float[Tensor, " B"]:
    """Factor of each response's advantage as the authors' code computes it.

    Minimum and maximum are taken per device and the mean per micro-batch, over a layout of devices
    that does not exist, so the result does not depend on the real one.

    Rows are dealt to `num_ranks` devices of equal row counts, balanced by tokens; on each, in the
    order of the batch, `micro_batch_size` neighbours share a dynamic bound. A device with fewer
    than two valid rows or no spread gets ones; a micro-batch all at the minimum gets `minimum`.

    Args:
        trajectory_dependency: nats.
        lengths: tokens of each row, prompt and response.
        is_valid: False rows weigh 1 and move nothing.

    Source: VPPO-RL a23c54b, dp_actor.py::update_policy and seqlen_balancing.py. There the deal is
        made over the rollout batch and sliced; here over the mini-batch that is given.
    """
    scores = trajectory_dependency.double()
    is_used = is_valid & scores.isfinite()
    weights = torch.ones_like(scores)
    for part in balanced_parts(lengths.tolist(), num_ranks):
        rows = torch.tensor(part, dtype=torch.int64, device=scores.device)
        used = scores[rows[is_used[rows]]]
        if _is_flat(used):
            continue
        low, high = used.min(), used.max()
        for micro_batch in torch.split(rows, micro_batch_size):
            chosen = micro_batch[is_used[micro_batch]]
            if len(chosen) == 0:
                continue
            normal = ((scores[chosen] - low) / (high - low)).clamp(0.0, 1.0)
            maximum = minimum + (1.0 - minimum) / (normal.mean() + 1e-8)
            weights[chosen] = minimum + normal * (maximum - minimum)
    return weights.to(trajectory_dependency.dtype)


def shape_advantages(
    advantages: Float[Tensor, " B"], weights: Float[Tensor, " B"], *, positive_only: bool = False
) -> Float[Tensor, " B"]:
    """Advantages times weights; with `positive_only`, wrong answers keep theirs."""
    shaped = advantages * weights
    return torch.where(advantages > 0, shaped, advantages) if positive_only else shaped


def _is_flat(scores: Tensor) -> bool:
    return len(scores) < 2 or bool(scores.max() - scores.min() <= MIN_SPREAD)
