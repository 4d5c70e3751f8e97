"""The numbers of a step under their catalogue keys."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from vppo_core.algo.dependency import trajectory_dependency
from vppo_core.algo.shaping import MIN_SPREAD
from vppo_core.catalogue import labelled
from vppo_core.spec.algorithm import AlgorithmSpec, Shaping
from vppo_core.spec.job import VPPOJobSpec
from vppo_services.driver.assemble import Assembled
from vppo_services.driver.collect import CollectStats
from vppo_services.learner.metrics import UpdateMetrics

# Below this mean dependency, in nats, the policy answers as if there were no image.
_BLIND_NATS = 1e-4
_VISIBLE_NATS = 0.01
_SAME_WEIGHT = 1e-6


def sampling_values(stats: CollectStats, *, kept: int, carried: int) -> dict[str, float]:
    """Rewards, groups and answers that were sampled in the step.

    Every answer ends in one place: generated = trained + wasted + what more is carried than before.
    """
    rewards = np.array(stats.rewards or [0.0])
    values = {
        "reward_mean": float(rewards.mean()),
        "reward_std": float(rewards.std()),
        "accuracy_mean": float(np.mean(stats.accuracies or [0.0])),
        "groups_sampled": stats.sampled,
        "groups_kept": kept,
        "groups_dropped_right": stats.dropped_right,
        "groups_dropped_wrong": stats.dropped_wrong,
        "groups_carried": carried,
        "groups_stale": stats.stale,
        "sampling_rounds": stats.rounds,
        "samples_generated": stats.samples,
        "samples_wasted": stats.wasted_samples,
        "tokens_generated": stats.tokens,
        "tokens_wasted": stats.wasted_tokens,
    }
    if stats.sampled:
        values["no_signal_share"] = stats.no_signal / stats.sampled
    values |= {labelled("reward_verdicts", v): n for v, n in stats.verdicts.items()}
    return {name: float(value) for name, value in values.items()}


def training_values(
    batches: Sequence[Assembled], job: VPPOJobSpec, *, version: int
) -> dict[str, float]:
    """What was trained on, and what the method made of it, over all mini-batches of the step.

    Args:
        version: of the newest weights when the step's first update began.
    """
    oldest = min(int(b.batch.policy_versions.min()) for b in batches)
    values = {
        "samples_trained": float(sum(len(b.batch) for b in batches)),
        "tokens_trained": float(sum(b.batch.num_response_tokens for b in batches)),
        "policy_staleness_max": float(version - oldest),
    }
    values |= method_values(batches, job.rollout.max_response_tokens)
    return values | answer_values(batches, job.algorithm)


def method_values(batches: Sequence[Assembled], max_response_tokens: int) -> dict[str, float]:
    """Lengths, dependency, shaping and filtering of the step, over all its mini-batches."""
    found = distributions(batches)
    lengths, dependency = found["response_tokens"], found["token_dependency"]
    kept = np.concatenate([b.keep_mask[b.batch.response_mask] for b in batches])
    weights = np.concatenate([b.shaping_weights for b in batches])
    perturbed = np.concatenate([b.is_perturbed for b in batches])
    gap = np.concatenate([_log_prob_gap(b) for b in batches])
    blind = perturbed.any() and dependency.mean() < _BLIND_NATS
    values = {
        "response_tokens_mean": lengths.mean(),
        "response_tokens_max": lengths.max(),
        "response_tokens_p50": np.quantile(lengths, 0.5),
        "response_tokens_p95": np.quantile(lengths, 0.95),
        "truncated_share": (lengths >= max_response_tokens).mean(),
        "token_dependency_mean": dependency.mean(),
        "token_dependency_p90": np.quantile(dependency, 0.9),
        "token_dependency_visible_share": (dependency > _VISIBLE_NATS).mean(),
        "blindness": float(blind),
        "perturbed_share": perturbed.mean(),
        "shaping_weight_min": weights.min(),
        "shaping_weight_mean": weights.mean(),
        "shaping_weight_max": weights.max(),
        "token_keep_share": kept.mean(),
        "rollout_logprob_mismatch": np.abs(gap).mean(),
        "rollout_mismatch_kl": (np.expm1(gap) - gap).mean(),
    }
    return {name: float(value) for name, value in values.items()}


def answer_values(batches: Sequence[Assembled], algorithm: AlgorithmSpec) -> dict[str, float]:
    """How much whole answers lean on their image, and what that has to do with their reward.

    Counted are answers of which a pixel was masked; without any, the values of dependency are
    absent. `shaping_weight_bound_share` is the share of all answers whose weight is a bound that
    the job sets: `shapingMin`, `shapingMax` of a fixed shaping, `shapingCap` of a dynamic one.
    """
    values: dict[str, float] = {}
    answers = np.concatenate([_trajectory_dependency(b) for b in batches])
    rewards = np.concatenate([b.rewards for b in batches]).astype(np.float64)
    has_image = np.concatenate([b.is_perturbed & b.batch.response_mask.any(1) for b in batches])
    leans, earned = answers[has_image], rewards[has_image]
    if len(leans):
        values["trajectory_dependency_min"] = float(leans.min())
        values["trajectory_dependency_max"] = float(leans.max())
        if np.ptp(leans) > MIN_SPREAD and np.ptp(earned) > 0.0:
            correlation = np.corrcoef(leans, earned)[0, 1]
            values["dependency_reward_correlation"] = float(correlation)
    if algorithm.shaping is not Shaping.NONE:
        weights = np.concatenate([b.shaping_weights for b in batches])
        is_bound = [np.abs(weights - bound) < _SAME_WEIGHT for bound in _bounds(algorithm)]
        values["shaping_weight_bound_share"] = float(np.logical_or.reduce(is_bound).mean())
    return values


def distributions(batches: Sequence[Assembled]) -> dict[str, Any]:
    """Values of each token or answer that was trained on, by key of the catalogue's histograms."""
    masks = [b.batch.response_mask for b in batches]
    tokens = [b.token_dependency[mask] for b, mask in zip(batches, masks, strict=True)]
    return {
        "token_dependency": np.concatenate(tokens),
        "response_tokens": np.concatenate([mask.sum(axis=1) for mask in masks]),
    }


def _trajectory_dependency(batch: Assembled) -> Any:
    dependency = torch.from_numpy(batch.token_dependency)
    mask = torch.from_numpy(batch.batch.response_mask)
    return trajectory_dependency(dependency, mask).double().numpy()


def _bounds(algorithm: AlgorithmSpec) -> list[float]:
    if algorithm.shaping is Shaping.FIXED:
        return [algorithm.shaping_min, algorithm.shaping_max]
    return [algorithm.shaping_min, *([algorithm.shaping_cap] if algorithm.shaping_cap else [])]


def _log_prob_gap(batch: Assembled) -> Any:
    """Learner minus sampler, per response token, nats."""
    mask = batch.batch.response_mask
    gap = batch.batch.old_log_probs[mask] - batch.rollout_log_probs[mask]
    return gap.clip(-20.0, 20.0).astype(np.float64)


def update_values(updates: Sequence[UpdateMetrics]) -> dict[str, float]:
    """What the learner measured, the mean over the step's updates."""
    means = (
        "policy_loss",
        "penalty",
        "reference_kl",
        "clip_share",
        "ratio_mean",
        "approx_kl",
        "nll_mean",
        "entropy_mean",
        "grad_norm",
    )
    values = {name: float(np.mean([getattr(u, name) for u in updates])) for name in means}
    values["learning_rate"] = updates[-1].learning_rate
    values["skipped_updates"] = float(sum(u.is_skipped for u in updates))
    return values
