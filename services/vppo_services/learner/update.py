"""Gradients of one mini-batch: what a rank adds up before the optimizer moves.

All denominators are global, so ranks, micro-batches and packing change memory and time, never the
gradient.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch

from vppo_core.algo.loss import entropy_penalty, nll_penalty, policy_loss, reference_kl
from vppo_core.batch.prompts import PromptBatch
from vppo_core.batch.training import TrainingBatch, split_by_tokens
from vppo_core.spec.algorithm import AlgorithmSpec, Penalty
from vppo_services.learner.metrics import MetricSums
from vppo_services.policy.packing import Rollout
from vppo_services.policy.policy import Policy

RolloutOf = Callable[[int], Rollout]


def micro_batches(
    batch: TrainingBatch,
    prompts: Sequence[PromptBatch],
    *,
    num_ranks: int,
    rank: int,
    max_tokens: int,
) -> list[list[int]]:
    """Rows of each of this rank's micro-batches; every rank has the same number of them."""
    prompt_tokens = np.array([int(p.prompt_lengths[0]) for p in prompts])[batch.prompt_index]
    lengths = (prompt_tokens + batch.response_mask.sum(axis=1)).astype(np.int32)
    return split_by_tokens(lengths, num_ranks=num_ranks, max_tokens=max_tokens)[rank]


def accumulate_gradients(
    policy: Policy,
    batch: TrainingBatch,
    rows: Sequence[int],
    rollout_of: RolloutOf,
    algorithm: AlgorithmSpec,
    sums: MetricSums,
    *,
    num_ranks: int,
    device: str,
) -> None:
    """Forward and backward of one micro-batch; gradients add up in the parameters.

    An empty micro-batch runs too and adds zeros: FSDP's collectives must match on all ranks.
    """
    packed = policy.pack([rollout_of(row) for row in rows], device)
    with_entropy = algorithm.penalty is Penalty.ENTROPY_FULL and algorithm.penalty_coef != 0.0
    log_probs, entropy = policy(packed, with_entropy=with_entropy)
    tokens = _tokens_of(batch, rows, log_probs)
    denominator = float(batch.num_response_tokens)

    surrogate = policy_loss(
        log_probs,
        tokens["old_log_probs"],
        tokens["advantages"],
        tokens["token_weights"],
        clip_low=algorithm.clip_ratio_low,
        clip_high=algorithm.clip_ratio_high,
        dual_clip=algorithm.dual_clip,
        denominator=denominator,
    )
    penalty = (
        entropy_penalty(entropy, denominator)
        if with_entropy
        else nll_penalty(log_probs, denominator)
    )
    distance = reference_kl(log_probs, tokens["ref_log_probs"], denominator)
    loss = (
        surrogate.loss + algorithm.penalty_coef * penalty + algorithm.reference_kl_coef * distance
    )
    # FSDP averages gradients over ranks; the denominator is global already.
    torch.autograd.backward(loss * num_ranks)

    sums.add(
        policy_loss=surrogate.loss,
        penalty=penalty,
        reference_kl=distance,
        clipped_tokens=surrogate.clipped_low + surrogate.clipped_high + surrogate.dual_clipped,
        weighted_tokens=(tokens["token_weights"] > 0).sum(),
        ratio=surrogate.ratio,
        approx_kl=surrogate.approx_kl,
        nll=-log_probs.sum(),
        entropy=entropy.sum(),
        tokens=torch.tensor(float(log_probs.numel())),
    )


def _tokens_of(
    batch: TrainingBatch, rows: Sequence[int], like: torch.Tensor
) -> dict[str, torch.Tensor]:
    """Per-token values of the rows' response tokens, in packed order."""
    index = np.asarray(rows, dtype=np.int64)
    mask = batch.response_mask[index]
    advantages = np.broadcast_to(batch.advantages[index][:, None], mask.shape)
    values = {
        "old_log_probs": batch.old_log_probs[index],
        "ref_log_probs": batch.ref_log_probs[index],
        "token_weights": batch.token_weights[index],
        "advantages": advantages,
    }
    return {
        name: torch.from_numpy(np.ascontiguousarray(value[mask])).to(like)
        for name, value in values.items()
    }
