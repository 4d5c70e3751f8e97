"""How a group is sampled, which seed each rollout has, and what a group must fulfil."""

import hashlib
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from vppo_core.batch.axes import pad_right
from vppo_core.batch.trajectories import TrajectoryBatch
from vppo_core.errors import ConsistencyError

BAN_BIAS = -100.0
"""Added to the logits of banned ids, before the temperature; the learner does the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingSettings:
    """How every prompt of one call is answered; same settings, weights and prompts, same tokens."""

    group_size: int
    """Rollouts per prompt; 1 is for evaluation."""

    max_tokens: int
    """Longest answer, its end token included."""

    temperature: float
    """Logits are divided by it; 0 takes the most probable token."""

    top_p: float = 1.0
    """Nucleus: the smallest set of tokens with this much probability."""

    top_k: int = 0
    """Sample among this many most probable tokens; 0 means all."""

    run_seed: int = 0
    """Part of every rollout's seed."""

    def __post_init__(self) -> None:
        assert self.group_size >= 1, self
        assert self.max_tokens >= 1, self
        assert self.temperature >= 0.0, self
        assert 0.0 < self.top_p <= 1.0, self
        assert self.top_k >= 0, self

    @property
    def is_greedy(self) -> bool:
        """No token is drawn by chance; log-probs are those of temperature 1 over all tokens."""
        return self.temperature == 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """One answer as an engine made it."""

    ids: Sequence[int]
    """[T] sampled tokens, the end token included when there is one."""

    log_probs: Sequence[float]
    """[T] nats of each token under the distribution that it was drawn from."""

    is_finished: bool
    """False when the answer was cut at a length limit."""

    text: str
    """Decoded answer, special tokens left out."""


def sample_seed(run_seed: int, uid: str, visit: int, sample_index: int) -> int:
    """Seed of one rollout in [0, 2^63), the same in every process and on every platform.

    Two rollouts share a seed only if run, row, visit and place in the group are the same, so the
    order in which prompts are answered does not matter.
    """
    # The uid comes last: it may hold any character, the numbers before it hold no separator.
    key = f"{run_seed}/{visit}/{sample_index}/{uid}".encode()
    digest = hashlib.blake2b(key, digest_size=8, person=b"vppo.rollout").digest()
    return int.from_bytes(digest, "big") >> 1


def build_group(
    rollouts: Sequence[Rollout], *, policy_version: int, banned_ids: Collection[int]
) -> TrajectoryBatch:
    """One prompt's rollouts, in the order of their sample index.

    Raises:
        ConsistencyError: an answer is empty, holds a banned id, or its log-probs do not fit it.
    """
    for sample, rollout in enumerate(rollouts):
        _check(sample, rollout, banned_ids)
    ids = [np.asarray(rollout.ids, dtype=np.int32) for rollout in rollouts]
    log_probs = [np.asarray(rollout.log_probs, dtype=np.float32) for rollout in rollouts]
    return TrajectoryBatch(
        prompt_index=np.zeros(len(rollouts), dtype=np.int32),
        sample_index=np.arange(len(rollouts), dtype=np.int32),
        response_ids=pad_right(ids, np.int32),
        response_mask=pad_right([np.ones(len(row), dtype=np.bool_) for row in ids], np.bool_),
        rollout_log_probs=pad_right(log_probs, np.float32),
        is_finished=np.array([rollout.is_finished for rollout in rollouts], dtype=np.bool_),
        texts=tuple(rollout.text for rollout in rollouts),
        policy_version=policy_version,
    )


def _check(sample: int, rollout: Rollout, banned_ids: Collection[int]) -> None:
    if not rollout.ids or len(rollout.ids) != len(rollout.log_probs):
        raise ConsistencyError(
            f"a rollout must have one log-prob for each of its tokens and at least one token, "
            f"sample {sample} has {len(rollout.ids)} tokens and {len(rollout.log_probs)} log-probs"
        )
    banned = sorted(set(rollout.ids) & set(banned_ids))
    if banned:
        raise ConsistencyError(
            f"a response must not hold vision tokens, sample {sample} has {banned}: tokens and "
            "pixels would no longer fit; lower rollout.temperature, which weakens the ban"
        )
    if not all(math.isfinite(value) and value <= 1e-3 for value in rollout.log_probs):
        raise ConsistencyError(
            f"log-probs must be finite and at most 0 nats, sample {sample} has "
            f"{min(rollout.log_probs)} to {max(rollout.log_probs)}; the weights or the numbers of "
            "model.dtype are broken"
        )
