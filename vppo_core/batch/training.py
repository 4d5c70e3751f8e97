"""What the learner gets: finished advantages and masks, and how they are split."""

from dataclasses import dataclass

import numpy as np

from vppo_core.batch.axes import BoolArray, FloatArray, IntArray, check_axes


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingBatch:
    """One optimizer mini-batch of B rollouts. Nothing here depends on ranks or micro-batches."""

    prompt_index: IntArray  # [B] which of the prompts that come with the batch
    response_ids: IntArray  # [B, T]
    response_mask: BoolArray  # [B, T]
    old_log_probs: FloatArray  # [B, T] nats
    ref_log_probs: FloatArray  # [B, T] nats
    advantages: FloatArray  # [B] shaped
    token_weights: FloatArray  # [B, T] 0 where the gradient is dropped, else the mismatch weight
    policy_versions: IntArray  # [B] version each rollout was sampled by
    num_response_tokens: int  # the denominator of every loss term, over all ranks

    def __post_init__(self) -> None:
        check_axes(
            "TrainingBatch",
            prompt_index=(self.prompt_index, "B"),
            response_ids=(self.response_ids, "B T"),
            response_mask=(self.response_mask, "B T"),
            old_log_probs=(self.old_log_probs, "B T"),
            ref_log_probs=(self.ref_log_probs, "B T"),
            advantages=(self.advantages, "B"),
            token_weights=(self.token_weights, "B T"),
            policy_versions=(self.policy_versions, "B"),
        )

    def __len__(self) -> int:
        """Number of rollouts."""
        return len(self.advantages)


def split_by_tokens(lengths: IntArray, *, num_ranks: int, max_tokens: int) -> list[list[list[int]]]:
    """Rows for every rank and micro-batch: `result[rank][micro_batch]` is a list of rows.

    Longest first into the rank with the fewest tokens, then in order into micro-batches of at most
    `max_tokens` (a longer row has one of its own). All ranks get the same number of micro-batches,
    the missing ones empty, because FSDP's collectives must match.

    Args:
        lengths: tokens of each row, prompt and response.
    """
    order = np.argsort(-lengths, kind="stable")
    ranks: list[list[int]] = [[] for _ in range(num_ranks)]
    load = [0] * num_ranks
    for row in order:
        rank = load.index(min(load))
        ranks[rank].append(int(row))
        load[rank] += int(lengths[row])
    split = [_fill(sorted(rows), lengths, max_tokens) for rows in ranks]
    depth = max(len(batches) for batches in split)
    return [batches + [[] for _ in range(depth - len(batches))] for batches in split]


def _fill(rows: list[int], lengths: IntArray, max_tokens: int) -> list[list[int]]:
    batches: list[list[int]] = []
    room = 0
    for row in rows:
        size = int(lengths[row])
        if not batches or size > room:
            batches.append([])
            room = max_tokens
        batches[-1].append(row)
        room -= size
    return batches
