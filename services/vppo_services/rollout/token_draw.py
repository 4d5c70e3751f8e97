"""The next token: from logits to a distribution, from the distribution to tokens.

The same order and meaning as in vLLM with `logprobs_mode="processed_logprobs"`: ban, temperature,
top-k, top-p, then a log-softmax over what is left.
"""

from collections.abc import Sequence

import torch

from vppo_services.rollout.sampling import BAN_BIAS, SamplingSettings


def next_token_log_probs(
    logits: torch.Tensor, settings: SamplingSettings, banned_ids: Sequence[int]
) -> torch.Tensor:
    """Log-probs [B, V] in nats of the distribution that tokens are drawn from.

    Greedy settings leave temperature and cuts out: the log-probs are the model's own, and only the
    draw takes the maximum.
    """
    logits = logits.float().clone()
    logits[:, list(banned_ids)] += BAN_BIAS
    if not settings.is_greedy:
        logits /= settings.temperature
        if 0 < settings.top_k < logits.shape[1]:
            _cut_top_k(logits, settings.top_k)
        if settings.top_p < 1.0:
            _cut_top_p(logits, settings.top_p)
    return logits.log_softmax(dim=-1)


def draw(
    log_probs: torch.Tensor, generators: Sequence[torch.Generator], *, greedy: bool
) -> torch.Tensor:
    """One token per row [B], each by a generator of its own: rows do not touch each other's luck.

    A token is drawn as the first to ring of exponential clocks whose rates are its probabilities.
    """
    if greedy:
        return log_probs.argmax(dim=-1)
    clocks = torch.empty(log_probs.shape, dtype=torch.float32)
    for row, generator in zip(clocks, generators, strict=True):
        row.exponential_(generator=generator)
    # In log space: a probability of 1e-44 has no float32, its logarithm has.
    return (log_probs - clocks.log().to(log_probs.device)).argmax(dim=-1)


def _cut_top_k(logits: torch.Tensor, top_k: int) -> None:
    smallest = logits.topk(top_k, dim=-1).values[:, -1:]
    logits.masked_fill_(logits < smallest, -torch.inf)


def _cut_top_p(logits: torch.Tensor, top_p: float) -> None:
    ordered, order = logits.sort(dim=-1)
    outside = ordered.softmax(dim=-1).cumsum(dim=-1) <= 1.0 - top_p
    outside[:, -1] = False  # the most probable token always stays
    logits.masked_fill_(torch.zeros_like(outside).scatter_(1, order, outside), -torch.inf)
