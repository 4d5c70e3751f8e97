"""Token visual dependency: how much a token's distribution leans on the image.

Source: VPPO, arXiv:2510.09285v2, Def. 3.1, Eq. 3 and App. G. The paper asks for the KL over the
whole vocabulary, which is `kl_full`; the authors' code (VPPO-RL a23c54b, dp_actor.py) computes
`kl_sampled`.
"""

from typing import Literal, Unpack, get_args

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from vppo_core.algo.head import HeadOptions, Tiling
from vppo_core.algo.kl import k3
from vppo_core.algo.reduce import masked_mean
from vppo_core.algo.views import jsd_of, kl_of, two_view_statistics

DependencyEstimator = Literal["kl_full", "kl_sampled", "jsd", "top1_drop"]


@torch.no_grad()
def kl_full(
    hidden: Float[Tensor, "N D"],
    perturbed_hidden: Float[Tensor, "N D"],
    head_weight: Float[Tensor, "V D"],
    *,
    max_nats: float = 10.0,
    **options: Unpack[HeadOptions],
) -> Float[Tensor, " N"]:
    """Exact KL(pi(. | image) || pi(. | masked image)) over the vocabulary, nats in [0, max_nats].

    One pass over the head; memory is three tiles, whatever N is.

    Args:
        hidden: states that predict the tokens, given the true image.
        perturbed_hidden: the same tokens and policy, given the masked image.
        max_nats: upper clamp; one token must not own the ranking.
        options: temperature, banned ids, tile sizes, precision; see `head.Tiling`.
    """
    tiling = Tiling(**options)
    views = two_view_statistics(
        hidden, perturbed_hidden, head_weight, None, tiling, with_difference=True
    )
    return kl_of(*views).clamp(0.0, max_nats).to(tiling.softmax_dtype(hidden))


@torch.no_grad()
def jsd(
    hidden: Float[Tensor, "N D"],
    perturbed_hidden: Float[Tensor, "N D"],
    head_weight: Float[Tensor, "V D"],
    *,
    max_nats: float = 10.0,
    **options: Unpack[HeadOptions],
) -> Float[Tensor, " N"]:
    """Jensen-Shannon divergence of the two distributions, nats in [0, log 2]; two passes."""
    tiling = Tiling(**options)
    clean, masked = two_view_statistics(
        hidden, perturbed_hidden, head_weight, None, tiling, with_difference=False
    )
    normalisers = (clean.log_normaliser(), masked.log_normaliser())
    exact = jsd_of(hidden, perturbed_hidden, head_weight, tiling, normalisers)
    return exact.clamp(0.0, max_nats).to(tiling.softmax_dtype(hidden))


@torch.no_grad()
def kl_sampled(
    old_log_probs: Float[Tensor, "..."],
    perturbed_log_probs: Float[Tensor, "..."],
    *,
    max_nats: float = 10.0,
) -> Float[Tensor, "..."]:
    """The k3 estimate of `kl_full` at the sampled token, nats in [0, max_nats].

    exp(d) - d - 1 with d = perturbed - old, d within +-20. Unbiased before the clamps; a token that
    becomes more likely without the image scores above one that becomes equally less likely.
    """
    return k3(old_log_probs, perturbed_log_probs, max_nats=max_nats)


@torch.no_grad()
def top1_drop(
    old_log_probs: Float[Tensor, "..."], perturbed_log_probs: Float[Tensor, "..."]
) -> Float[Tensor, "..."]:
    """Probability that the sampled token loses without the image, in [-1, 1]; not in nats.

    Negative where the token becomes more likely without the image.
    """
    return old_log_probs.exp() - perturbed_log_probs.exp()


@torch.no_grad()
def score_views(
    hidden: Float[Tensor, "N D"],
    perturbed_hidden: Float[Tensor, "N D"],
    head_weight: Float[Tensor, "V D"],
    token_ids: Int[Tensor, " N"],
    *,
    estimator: str = "kl_full",
    max_nats: float = 10.0,
    **options: Unpack[HeadOptions],
) -> tuple[Float[Tensor, " N"], Float[Tensor, " N"]]:
    """Log-probs of the tokens given the true image, and their dependency, from one visit.

    Both views share each block of the head. `jsd` goes over the head a second time.

    Args:
        token_ids: int64, the sampled tokens; an id outside the vocabulary gives NaN.
        estimator: `kl_full`, `kl_sampled`, `jsd` or `top1_drop`.
        options: temperature, banned ids, tile sizes, precision; see `head.Tiling`.

    Returns:
        `old_log_probs`, nats, and `token_dependency`, as the function of that name gives it.
    """
    if estimator not in get_args(DependencyEstimator):
        known = ", ".join(get_args(DependencyEstimator))
        raise ValueError(f"estimator must be one of {known}, got {estimator!r}")
    tiling = Tiling(**options)
    clean, masked = two_view_statistics(
        hidden,
        perturbed_hidden,
        head_weight,
        token_ids,
        tiling,
        with_difference=estimator == "kl_full",
    )
    log_probs, perturbed_log_probs = clean.token_log_probs(), masked.token_log_probs()
    if estimator == "kl_full":
        dependency = kl_of(clean, masked).clamp(0.0, max_nats)
    elif estimator == "kl_sampled":
        dependency = kl_sampled(log_probs, perturbed_log_probs, max_nats=max_nats)
    elif estimator == "top1_drop":
        dependency = top1_drop(log_probs, perturbed_log_probs)
    else:
        normalisers = (clean.log_normaliser(), masked.log_normaliser())
        exact = jsd_of(hidden, perturbed_hidden, head_weight, tiling, normalisers)
        dependency = exact.clamp(0.0, max_nats)
    dtype = tiling.softmax_dtype(hidden)
    return log_probs.to(dtype), dependency.to(dtype)


def trajectory_dependency(
    token_dependency: Float[Tensor, "B T"], response_mask: Bool[Tensor, "B T"]
) -> Float[Tensor, " B"]:
    """Mean token dependency of each response, end of sequence included; 0 for an empty one.

    Source: VPPO, arXiv:2510.09285v2, Sec. 3.2.2.
    """
    return masked_mean(token_dependency, response_mask, dim=1)
