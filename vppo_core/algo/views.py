"""Two views of one token, clean and perturbed image, read off the head in one pass."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from vppo_core.algo.head import OnlineSoftmax, Tiling, subtract_maximum


def two_view_statistics(
    hidden: Float[Tensor, "N D"],
    perturbed_hidden: Float[Tensor, "N D"],
    head_weight: Float[Tensor, "V D"],
    token_ids: Int[Tensor, " N"] | None,
    tiling: Tiling,
    *,
    with_difference: bool,
) -> tuple[OnlineSoftmax, OnlineSoftmax]:
    """Softmax statistics of both views; with `with_difference`, the clean view's expectation is
    that of (clean logit - perturbed logit) under the clean distribution.
    """
    num_rows = hidden.shape[0]
    clean, masked = (OnlineSoftmax(num_rows, hidden.device) for _ in range(2))
    ours, theirs = (tiling.scratch(hidden, head_weight) for _ in range(2))
    spare = tiling.scratch(hidden, head_weight) if with_difference else None
    dtype = tiling.compute_dtype(hidden)
    for block in tiling.blocks(head_weight, dtype):
        for rows in tiling.rows(num_rows):
            a = block.logits(hidden[rows].to(dtype), ours)
            b = block.logits(perturbed_hidden[rows].to(dtype), theirs)
            if token_ids is not None:
                clean.take_tokens(rows, block, a, token_ids[rows])
                masked.take_tokens(rows, block, b, token_ids[rows])
            peak_a, peak_b = subtract_maximum(a), subtract_maximum(b)
            gap = None if spare is None else torch.sub(a, b, out=spare.tile(*a.shape))
            total = a.exp_().sum(dim=-1)
            moment = None
            if gap is not None:
                offset = peak_a.double() - peak_b.double()
                moment = gap.mul_(a).sum(dim=-1).double() + total.double() * offset
            clean.update(rows, peak_a, total, moment)
            masked.update(rows, peak_b, b.exp_().sum(dim=-1))
    return clean, masked


def kl_of(clean: OnlineSoftmax, masked: OnlineSoftmax) -> Float[Tensor, " N"]:
    """KL(clean || masked): sum p (a - b) - (log Z_a - log Z_b), nats, float64."""
    offset = clean.maximum - masked.maximum
    return clean.expectation() - offset - (clean.total.log() - masked.total.log())


def jsd_of(
    hidden: Float[Tensor, "N D"],
    perturbed_hidden: Float[Tensor, "N D"],
    head_weight: Float[Tensor, "V D"],
    tiling: Tiling,
    normalisers: tuple[Float[Tensor, " N"], Float[Tensor, " N"]],
) -> Float[Tensor, " N"]:
    """Jensen-Shannon divergence given both log-normalisers, nats, float64: a second pass.

    With x = log p - log q it is half the sum of
    (p + q) (log 2 - softplus(-|x|)) - |x| min(p, q), in which nothing large cancels and nothing
    is infinite where p or q underflow.
    """
    ours, theirs = (tiling.scratch(hidden, head_weight) for _ in range(2))
    total = torch.zeros(hidden.shape[0], dtype=torch.float64, device=hidden.device)
    dtype = tiling.compute_dtype(hidden)
    for block in tiling.blocks(head_weight, dtype):
        for rows in tiling.rows(hidden.shape[0]):
            a = block.logits(hidden[rows].to(dtype), ours)
            b = block.logits(perturbed_hidden[rows].to(dtype), theirs)
            a.sub_(normalisers[0][rows, None].to(a.dtype))
            b.sub_(normalisers[1][rows, None].to(b.dtype))
            x = (a - b).abs_()
            p, q = a.exp_(), b.exp_()
            rest = torch.minimum(p, q).mul_(x)
            shared = torch.nn.functional.softplus(x.neg_()).neg_().add_(math.log(2.0))
            half = shared.mul_(p.add_(q)).sub_(rest).sum(dim=-1)
            total[rows] += 0.5 * half.double()
    return total
