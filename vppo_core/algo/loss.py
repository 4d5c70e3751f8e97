"""The loss on packed tokens: sums over N tokens of a micro-batch over one global denominator.

The denominator is the number of response tokens of the whole optimizer mini-batch, over all ranks,
so losses and gradients of micro-batches and ranks add up to those of the mini-batch.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from vppo_core.algo.kl import MAX_LOG_RATIO, k3


@dataclass(frozen=True, slots=True)
class PolicyLoss:
    """The surrogate and what it did; all but `loss` are detached sums over the tokens given."""

    loss: Float[Tensor, ""]
    clipped_low: Float[Tensor, ""]  # tokens with A < 0 held at 1 - clip_low
    clipped_high: Float[Tensor, ""]  # tokens with A > 0 held at 1 + clip_high
    dual_clipped: Float[Tensor, ""]  # tokens with A < 0 held at dual_clip times |A|
    ratio: Float[Tensor, ""]  # importance ratios
    approx_kl: Float[Tensor, ""]  # k3 estimates of KL(old || new), nats


def policy_loss(
    log_probs: Float[Tensor, " N"],
    old_log_probs: Float[Tensor, " N"],
    advantages: Float[Tensor, " N"],
    token_weights: Float[Tensor, " N"],
    *,
    clip_low: float,
    clip_high: float,
    dual_clip: float,
    denominator: float | int,
) -> PolicyLoss:
    """Dual-clip PPO surrogate with token weights, to be minimised.

    Per token max(-A r, -A clip(r)), for A < 0 at most -A dual_clip; times its weight; summed and
    divided. Weights act after the clipping and never on the denominator, so filtering tokens
    shrinks the gradient instead of re-scaling the others.

    Args:
        log_probs: nats, the policy being trained.
        old_log_probs: nats, the policy before the step.
        advantages: shaped advantage of the response each token belongs to.
        token_weights: 0 drops a token; otherwise its mismatch weight.
        dual_clip: above 1; 0 means none.
        denominator: response tokens of the whole mini-batch.

    Source: VPPO, arXiv:2510.09285v2, Eq. 6 and App. B (token mean); VPPO-RL a23c54b,
        core_algos.py::compute_policy_loss (dual clip, exponent clamped to +-20).
    """
    log_ratio = log_probs - old_log_probs
    ratio = log_ratio.clamp(-MAX_LOG_RATIO, MAX_LOG_RATIO).exp()
    # Clamping the logarithm, not the ratio, is what the official code does.
    clipped_ratio = log_ratio.clamp(math.log(1.0 - clip_low), math.log(1.0 + clip_high)).exp()
    plain, clipped = -advantages * ratio, -advantages * clipped_ratio
    per_token = torch.maximum(plain, clipped)
    is_negative = advantages < 0
    is_dual = torch.zeros_like(is_negative)
    if dual_clip > 0.0:
        bound = -advantages * dual_clip
        is_dual = is_negative & (per_token > bound)
        per_token = torch.where(is_negative, torch.minimum(per_token, bound), per_token)
    is_clipped = clipped > plain
    return PolicyLoss(
        loss=_mean(per_token * token_weights, denominator),
        clipped_low=_count(is_clipped & is_negative),
        clipped_high=_count(is_clipped & ~is_negative),
        dual_clipped=_count(is_dual),
        ratio=ratio.detach().sum(),
        approx_kl=k3(old_log_probs, log_probs.detach()).sum(),
    )


def nll_penalty(log_probs: Float[Tensor, " N"], denominator: float | int) -> Float[Tensor, ""]:
    """Negative log-likelihood of the sampled tokens over the denominator, nats.

    On-policy its expected gradient is zero; the official code calls it an entropy penalty.
    """
    return _mean(-log_probs, denominator)


def entropy_penalty(entropy: Float[Tensor, " N"], denominator: float | int) -> Float[Tensor, ""]:
    """Entropy of the next-token distributions over the denominator, nats; of the same sign."""
    return _mean(entropy, denominator)


def reference_kl(
    log_probs: Float[Tensor, " N"],
    ref_log_probs: Float[Tensor, " N"],
    denominator: float | int,
    *,
    max_nats: float = 10.0,
) -> Float[Tensor, ""]:
    """k3 estimate of KL(policy || reference) over the denominator, each token at most `max_nats`.

    Source: VPPO-RL a23c54b, core_algos.py::compute_kl("low_var_kl").
    """
    return _mean(k3(log_probs, ref_log_probs, max_nats=max_nats), denominator)


@torch.no_grad()
def mismatch_weights(
    old_log_probs: Float[Tensor, "..."], rollout_log_probs: Float[Tensor, "..."], *, cap: float
) -> Float[Tensor, "..."]:
    """min(pi_learner / pi_sampler, cap) per token, detached; all ones for cap 0, which means off.

    Corrects in expectation for a sampler whose numerics or truncation differ from the learner's.
    """
    if cap == 0.0:
        return torch.ones_like(old_log_probs)
    log_ratio = (old_log_probs - rollout_log_probs).clamp(-MAX_LOG_RATIO, MAX_LOG_RATIO)
    return log_ratio.exp().clamp(max=cap)


def _mean(values: Tensor, denominator: float | int) -> Tensor:
    if not denominator > 0:
        raise ValueError(
            f"denominator must be above 0, got {denominator}; "
            "it is the number of response tokens in the mini-batch"
        )
    return values.sum() / denominator


def _count(condition: Tensor) -> Tensor:
    return condition.detach().sum().to(torch.float32)
