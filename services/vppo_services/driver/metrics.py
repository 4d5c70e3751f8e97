"""The numbers of a step under their catalogue keys."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from vppo_core.catalogue import labelled
from vppo_services.driver.assemble import Assembled
from vppo_services.driver.collect import CollectStats
from vppo_services.learner.metrics import UpdateMetrics

# Below this mean dependency, in nats, the policy answers as if there were no image.
_BLIND_NATS = 1e-4
_VISIBLE_NATS = 0.01


def sampling_values(stats: CollectStats, *, kept: int, carried: int) -> dict[str, float]:
    """Rewards and groups of the step."""
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
    }
    values |= {labelled("reward_verdicts", v): n for v, n in stats.verdicts.items()}
    return {name: float(value) for name, value in values.items()}


def method_values(batches: Sequence[Assembled], max_response_tokens: int) -> dict[str, float]:
    """Lengths, dependency, shaping and filtering of the step, over all its mini-batches."""
    lengths = np.concatenate([b.batch.response_mask.sum(axis=1) for b in batches])
    dependency = np.concatenate([b.token_dependency[b.batch.response_mask] for b in batches])
    kept = np.concatenate([b.keep_mask[b.batch.response_mask] for b in batches])
    weights = np.concatenate([b.shaping_weights for b in batches])
    perturbed = np.concatenate([b.is_perturbed for b in batches])
    gap = np.concatenate([_log_prob_gap(b) for b in batches])
    blind = perturbed.any() and dependency.mean() < _BLIND_NATS
    values = {
        "response_tokens_mean": lengths.mean(),
        "response_tokens_max": lengths.max(),
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
