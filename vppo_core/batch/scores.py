"""Scores: how good an answer is, and how much each of its tokens leans on the image."""

from dataclasses import dataclass

from vppo_core.batch.axes import BoolArray, FloatArray, check_axes


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardBatch:
    """Reward and accuracy of B rollouts, and what the grader said of each."""

    rewards: FloatArray  # [B] what the advantage is made of
    accuracies: FloatArray  # [B] 1.0 right, 0.0 wrong; what dynamic sampling looks at
    verdicts: tuple[str, ...]  # [B] one of vppo_core.rewards.base.Verdict

    def __post_init__(self) -> None:
        sizes = check_axes(
            "RewardBatch", rewards=(self.rewards, "B"), accuracies=(self.accuracies, "B")
        )
        assert len(self.verdicts) == sizes["B"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DependencyBatch:
    """Log-probs in the learner's numerics and token dependency, all of one policy version."""

    old_log_probs: FloatArray  # [B, T] nats, clean image, policy before the update
    token_dependency: FloatArray  # [B, T] nats >= 0 (top1_drop: -1..1); 0 where masked
    ref_log_probs: FloatArray  # [B, T] loaded model; equals old_log_probs without a reference
    is_perturbed: BoolArray  # [B] False: no pixel was changed (text only, nothing masked)
    policy_version: int

    def __post_init__(self) -> None:
        check_axes(
            "DependencyBatch",
            old_log_probs=(self.old_log_probs, "B T"),
            token_dependency=(self.token_dependency, "B T"),
            ref_log_probs=(self.ref_log_probs, "B T"),
            is_perturbed=(self.is_perturbed, "B"),
        )
