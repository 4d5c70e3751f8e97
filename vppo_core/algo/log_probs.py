"""Log-probs and entropy of the next token from hidden states, a tile of logits at a time."""

from typing import Any, Unpack

import torch
from jaxtyping import Float, Int
from torch import Tensor

from vppo_core.algo.head import HeadBlock, HeadOptions, OnlineSoftmax, Tiling, subtract_maximum


def chunked_log_probs(
    hidden: Float[Tensor, "N D"],
    head_weight: Float[Tensor, "V D"],
    token_ids: Int[Tensor, " N"],
    **options: Unpack[HeadOptions],
) -> Float[Tensor, " N"]:
    """Log-probs of `token_ids` under the head, nats.

    Differentiable in `hidden` and `head_weight`; the backward pass computes the logits again, so
    both passes hold one tile. Without tokens the gradients are zeros, not missing.

    Args:
        hidden: states that predict the tokens, one row per token.
        head_weight: output embedding.
        token_ids: int64; an id outside the vocabulary gives NaN.
        options: temperature, banned ids, tile sizes, precision; see `head.Tiling`.
    """
    log_probs, _ = _HeadStatistics.apply(hidden, head_weight, token_ids, Tiling(**options), False)  # type: ignore[no-untyped-call]
    return log_probs  # type: ignore[no-any-return]


def chunked_entropy(
    hidden: Float[Tensor, "N D"],
    head_weight: Float[Tensor, "V D"],
    **options: Unpack[HeadOptions],
) -> Float[Tensor, " N"]:
    """Entropy of the next-token distribution, nats; differentiable as `chunked_log_probs` is."""
    _, entropy = _HeadStatistics.apply(hidden, head_weight, None, Tiling(**options), True)  # type: ignore[no-untyped-call]
    return entropy  # type: ignore[no-any-return]


def chunked_log_probs_and_entropy(
    hidden: Float[Tensor, "N D"],
    head_weight: Float[Tensor, "V D"],
    token_ids: Int[Tensor, " N"],
    **options: Unpack[HeadOptions],
) -> tuple[Float[Tensor, " N"], Float[Tensor, " N"]]:
    """Both of the above from one pass over the head."""
    log_probs, entropy = _HeadStatistics.apply(  # type: ignore[no-untyped-call]
        hidden, head_weight, token_ids, Tiling(**options), True
    )
    return log_probs, entropy


class _HeadStatistics(torch.autograd.Function):
    """Log-probs (None without token ids) and entropy (None unless asked) of N rows."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        token_ids: Tensor | None,
        tiling: Tiling,
        with_entropy: bool,
    ) -> tuple[Tensor | None, Tensor | None]:
        statistics = _statistics(hidden, weight, token_ids, tiling, with_entropy)
        normaliser = statistics.log_normaliser()
        entropy = normaliser - statistics.expectation() if with_entropy else None
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(hidden, weight, token_ids, normaliser, entropy)
        ctx.tiling = tiling
        dtype = tiling.softmax_dtype(hidden)
        log_probs = None if token_ids is None else statistics.token_log_probs().to(dtype)
        return log_probs, None if entropy is None else entropy.to(dtype)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(
        ctx: Any, grad_log_probs: Tensor | None, grad_entropy: Tensor | None
    ) -> tuple[Tensor | None, Tensor | None, None, None, None]:
        hidden, weight, token_ids, normaliser, entropy = ctx.saved_tensors
        pull = _Pull(token_ids, normaliser, entropy, grad_log_probs, grad_entropy)
        grads = _gradients(hidden, weight, pull, ctx.tiling, ctx.needs_input_grad[:2])
        return (*grads, None, None, None)


def _statistics(
    hidden: Tensor,
    weight: Tensor,
    token_ids: Tensor | None,
    tiling: Tiling,
    with_entropy: bool,
) -> OnlineSoftmax:
    statistics = OnlineSoftmax(hidden.shape[0], hidden.device)
    scratch, spare = tiling.scratch(hidden, weight), None
    if with_entropy:
        spare = tiling.scratch(hidden, weight)
    dtype = tiling.compute_dtype(hidden)
    for block in tiling.blocks(weight, dtype):
        for rows in tiling.rows(hidden.shape[0]):
            logits = block.logits(hidden[rows].to(dtype), scratch)
            if token_ids is not None:
                statistics.take_tokens(rows, block, logits, token_ids[rows])
            maximum = subtract_maximum(logits)
            if spare is None:
                statistics.update(rows, maximum, logits.exp_().sum(dim=-1))
                continue
            weights = torch.exp(logits, out=spare.tile(*logits.shape))
            total = weights.sum(dim=-1)
            moment = weights.mul_(logits).sum(dim=-1).double() + total.double() * maximum.double()
            statistics.update(rows, maximum, total, moment)
    return statistics


class _Pull:
    """What the backward pass needs of every row to turn its logits into their gradient."""

    def __init__(
        self,
        token_ids: Tensor | None,
        normaliser: Tensor,
        entropy: Tensor | None,
        grad_log_probs: Tensor | None,
        grad_entropy: Tensor | None,
    ) -> None:
        self.token_ids = token_ids
        self.normaliser = normaliser
        self.entropy = entropy
        self.grad_log_probs = grad_log_probs
        self.grad_entropy = grad_entropy

    def logit_gradient(self, block: HeadBlock, rows: slice, logits: Tensor) -> Tensor:
        """d loss / d (untempered logits) of one tile; `logits` is overwritten.

        With p the softmax: (onehot - p) for a log-prob, -p (log p + entropy) for an entropy.
        """
        logits.sub_(self.normaliser[rows, None].to(logits.dtype))
        if self.grad_entropy is None or self.entropy is None:
            assert self.grad_log_probs is not None
            out = logits.exp_().mul_(-self.grad_log_probs[rows, None])
        else:
            probs = logits.exp()
            out = logits.add_(self.entropy[rows, None].to(logits.dtype))
            out.mul_(-self.grad_entropy[rows, None])
            if self.grad_log_probs is not None:
                out.sub_(self.grad_log_probs[rows, None])
            out.mul_(probs)
        if self.grad_log_probs is not None and self.token_ids is not None:
            columns, inside = block.locate(self.token_ids[rows])
            every = torch.arange(out.shape[0], device=out.device)
            out[every, columns] += torch.where(inside, self.grad_log_probs[rows], 0.0)
        return out if block.temperature == 1.0 else out.div_(block.temperature)


def _gradients(
    hidden: Tensor, weight: Tensor, pull: _Pull, tiling: Tiling, needed: tuple[bool, bool]
) -> tuple[Tensor | None, Tensor | None]:
    compute, accumulate = tiling.compute_dtype(hidden), tiling.softmax_dtype(hidden)
    grad_hidden = torch.zeros_like(hidden, dtype=accumulate) if needed[0] else None
    grad_weight = torch.zeros_like(weight) if needed[1] else None
    if pull.grad_log_probs is None and pull.grad_entropy is None:
        return _as(grad_hidden, hidden.dtype), grad_weight
    scratch = tiling.scratch(hidden, weight)
    for block in tiling.blocks(weight, compute):
        block_grad = torch.zeros_like(block.weight, dtype=accumulate) if needed[1] else None
        for rows in tiling.rows(hidden.shape[0]):
            states = hidden[rows].to(compute)
            slope = pull.logit_gradient(block, rows, block.logits(states, scratch)).to(compute)
            if grad_hidden is not None:
                grad_hidden[rows] += slope @ block.weight
            if block_grad is not None:
                block_grad += slope.T @ states
        if grad_weight is not None and block_grad is not None:
            grad_weight[block.start : block.start + len(block_grad)] = block_grad
    return _as(grad_hidden, hidden.dtype), grad_weight


def _as(tensor: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    return None if tensor is None else tensor.to(dtype)
