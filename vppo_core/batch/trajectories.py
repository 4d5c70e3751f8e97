"""Trajectories: what one policy version answered."""

from dataclasses import dataclass

from vppo_core.batch.axes import BoolArray, FloatArray, IntArray, check_axes


@dataclass(frozen=True, slots=True, kw_only=True)
class TrajectoryBatch:
    """B = P prompts x G rollouts of one policy version; T response tokens, padded right.

    The end-of-sequence token belongs to the response. Rollout `b` answers prompt
    `prompt_index[b]` of the PromptBatch that it was made from.
    """

    prompt_index: IntArray  # [B]
    sample_index: IntArray  # [B] 0..G-1 within the group; part of every seed
    response_ids: IntArray  # [B, T]
    response_mask: BoolArray  # [B, T] True where the policy sampled the token
    rollout_log_probs: FloatArray  # [B, T] nats under the sampler, 0.0 where masked
    is_finished: BoolArray  # [B] False when the answer was cut at the token limit
    texts: tuple[str, ...]  # [B] decoded response, special tokens left out
    policy_version: int

    def __post_init__(self) -> None:
        sizes = check_axes(
            "TrajectoryBatch",
            prompt_index=(self.prompt_index, "B"),
            sample_index=(self.sample_index, "B"),
            response_ids=(self.response_ids, "B T"),
            response_mask=(self.response_mask, "B T"),
            rollout_log_probs=(self.rollout_log_probs, "B T"),
            is_finished=(self.is_finished, "B"),
        )
        assert len(self.texts) == sizes["B"]

    def __len__(self) -> int:
        """Number of rollouts."""
        return len(self.texts)
