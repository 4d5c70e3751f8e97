"""What an update measured, summed over micro-batches and ranks."""

from dataclasses import dataclass, field

import torch
import torch.distributed as dist

NAMES = (
    "policy_loss",
    "penalty",
    "reference_kl",
    "clipped_tokens",
    "weighted_tokens",
    "ratio",
    "approx_kl",
    "nll",
    "entropy",
    "tokens",
)


@dataclass(slots=True)
class MetricSums:
    """Running sums in float64; order of addition is the order of micro-batches."""

    values: torch.Tensor = field(
        default_factory=lambda: torch.zeros(len(NAMES), dtype=torch.float64)
    )

    def add(self, **sums: torch.Tensor) -> None:
        """Add the sums of one micro-batch."""
        for name, value in sums.items():
            self.values[NAMES.index(name)] += value.detach().double().cpu()

    @property
    def tokens(self) -> int:
        """Response tokens of this rank so far."""
        return int(self.values[NAMES.index("tokens")])

    def reduced(self) -> dict[str, float]:
        """Sums over all ranks; a collective."""
        if dist.is_initialized():
            device = "cuda" if dist.get_backend() == "nccl" else "cpu"
            total = self.values.to(device)
            dist.all_reduce(total)
            return dict(zip(NAMES, total.tolist(), strict=True))
        return dict(zip(NAMES, self.values.tolist(), strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateMetrics:
    """One optimizer update; the same on every rank."""

    policy_loss: float
    penalty: float
    reference_kl: float
    clip_share: float  # of response tokens that keep their gradient
    ratio_mean: float  # importance ratio, over response tokens
    approx_kl: float  # k3 of new against old policy, nats per token
    nll_mean: float  # nats per token
    entropy_mean: float  # nats per token; 0 unless the penalty asks for it
    grad_norm: float  # before clipping
    learning_rate: float
    is_skipped: bool  # the gradient was not finite; weights are unchanged
    micro_batches: int  # of one rank
    rank_tokens: int  # response tokens that one rank trained on
    seconds: float
