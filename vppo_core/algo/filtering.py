"""Token-level gradient filtering (TGF): the tokens of a response that lean on the image most."""

from fractions import Fraction
from typing import Literal, get_args

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

KeepRounding = Literal["exact", "float32"]


def token_keep_mask(
    token_dependency: Float[Tensor, "B T"],
    response_mask: Bool[Tensor, "B T"],
    is_perturbed: Bool[Tensor, " B"],
    *,
    keep_ratio: float,
    rounding: str = "exact",
) -> Bool[Tensor, "B T"]:
    """True on the ceil(keep_ratio * n) tokens of each response with the largest dependency.

    Of equal tokens the earliest wins; padding never changes the result. A row whose image was not
    perturbed has nothing to rank by and keeps all its tokens. NaN ranks last.

    Args:
        token_dependency: nats, ranked within each row only.
        response_mask: True on tokens the policy sampled; elsewhere the result is False.
        is_perturbed: False where no pixel was changed.
        keep_ratio: in (0, 1].
        rounding: `exact` integer arithmetic, or `float32` as the authors' code does it, which keeps
            one token too many for some lengths at 0.3 and 0.6.

    Source: VPPO, arXiv:2510.09285v2, Eq. 4; VPPO-RL a23c54b, dp_actor.py (unstable sort there).
    """
    if not 0.0 < keep_ratio <= 1.0:
        raise ValueError(
            f"keep_ratio must be above 0 and at most 1, got {keep_ratio}; 0.4 is usual"
        )
    lowest = torch.finfo(token_dependency.dtype).min
    ranked = token_dependency.nan_to_num(nan=lowest, neginf=lowest)
    ranked = ranked.masked_fill(~response_mask, -torch.inf)
    order = torch.sort(ranked, dim=1, descending=True, stable=True).indices
    position = torch.arange(ranked.shape[1], device=ranked.device).expand_as(order)
    keep = keep_counts(response_mask.sum(dim=1), keep_ratio=keep_ratio, rounding=rounding)
    is_top = torch.zeros_like(response_mask).scatter_(1, order, position < keep[:, None])
    return (is_top | ~is_perturbed[:, None]) & response_mask


def keep_counts(
    lengths: Int[Tensor, " B"], *, keep_ratio: float, rounding: str = "exact"
) -> Int[Tensor, " B"]:
    """How many tokens of a response of each length keep their gradient: ceil(ratio * length)."""
    if rounding not in get_args(KeepRounding):
        raise ValueError(f"rounding must be 'exact' or 'float32', got {rounding!r}")
    if rounding == "float32":
        return torch.ceil(lengths.to(torch.float32) * keep_ratio).to(torch.int64)
    ratio = Fraction(str(keep_ratio))  # 0.3 as written, not the nearest binary number
    return -(-lengths.to(torch.int64) * ratio.numerator // ratio.denominator)
