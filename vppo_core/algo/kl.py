"""Schulman's one-sample estimates of KL(pi || other) at tokens sampled from pi.

Source: J. Schulman, "Approximating KL divergence" (2020). All shapes agree; nats.
"""

import torch
from jaxtyping import Float
from torch import Tensor

MAX_LOG_RATIO = 20.0
"""Bound of a log-ratio before it is exponentiated: keeps exp() far from overflow."""


def k1(
    log_probs: Float[Tensor, "..."], other_log_probs: Float[Tensor, "..."]
) -> Float[Tensor, "..."]:
    """log pi - log other: unbiased, of either sign."""
    return log_probs - other_log_probs


def k2(
    log_probs: Float[Tensor, "..."], other_log_probs: Float[Tensor, "..."]
) -> Float[Tensor, "..."]:
    """Half the squared log-ratio: biased, never negative."""
    return 0.5 * (log_probs - other_log_probs).square()


def k3(
    log_probs: Float[Tensor, "..."],
    other_log_probs: Float[Tensor, "..."],
    *,
    max_nats: float | None = None,
) -> Float[Tensor, "..."]:
    """exp(d) - d - 1 with d = log other - log pi: unbiased before the clamps, never negative.

    Args:
        max_nats: upper clamp of the estimate; None means none.
    """
    d = (other_log_probs - log_probs).clamp(-MAX_LOG_RATIO, MAX_LOG_RATIO)
    # expm1 keeps the small values exact that exp(d) - 1 would round away.
    return (torch.expm1(d) - d).clamp(min=0.0, max=max_nats)
