"""`assemble` gives the learner VPPO, DAPO or GRPO as nothing but arrays."""

from typing import Any

import numpy as np
import pytest

from vppo_core.batch.prompts import PromptBatch
from vppo_core.batch.scores import DependencyBatch, RewardBatch
from vppo_core.batch.trajectories import TrajectoryBatch
from vppo_core.spec.algorithm import AlgorithmSpec
from vppo_services.driver.assemble import assemble
from vppo_services.driver.groups import GroupArrays
from vppo_services.driver.metrics import method_values


def groups_of(
    prompts: list[PromptBatch], trajectories: list[TrajectoryBatch], *, perturbed: bool = True
) -> list[GroupArrays]:
    rng = np.random.default_rng(0)
    groups = []
    for prompt, rollouts in zip(prompts, trajectories, strict=True):
        mask = rollouts.response_mask
        has_image = len(prompt.image_grids) > 0
        dependency = np.where(mask, rng.exponential(0.1, mask.shape), 0.0).astype(np.float32)
        accuracy = np.array([1, 0, 0, 1], np.float32)
        groups.append(
            GroupArrays(
                prompt,
                rollouts,
                RewardBatch(rewards=accuracy, accuracies=accuracy, verdicts=("ok",) * 4),
                DependencyBatch(
                    old_log_probs=rollouts.rollout_log_probs,
                    token_dependency=dependency * (has_image and perturbed),
                    ref_log_probs=rollouts.rollout_log_probs,
                    is_perturbed=np.full(4, has_image and perturbed),
                    policy_version=0,
                ),
            )
        )
    return groups


@pytest.fixture
def groups(prompts: list[PromptBatch], trajectories: list[TrajectoryBatch]) -> list[GroupArrays]:
    return groups_of(prompts, trajectories)


def spec(**fields: Any) -> AlgorithmSpec:
    return AlgorithmSpec.model_validate(fields)


def test_vppo_keeps_two_fifths_of_the_tokens_of_each_rollout(groups: list[GroupArrays]) -> None:
    out = assemble(groups[:4], spec(mismatchCap=0))
    lengths = out.batch.response_mask.sum(axis=1)
    assert out.keep_mask.sum(axis=1).tolist() == [-(-2 * int(n) // 5) for n in lengths]
    assert out.batch.num_response_tokens == lengths.sum(), "dropped tokens stay in the denominator"


def test_shaping_weights_have_mean_one_and_the_least_dependent_gets_the_minimum(
    groups: list[GroupArrays],
) -> None:
    weights = assemble(groups[:4], spec()).shaping_weights
    assert weights.mean() == pytest.approx(1.0, abs=1e-6)
    assert weights.min() == pytest.approx(0.9, abs=1e-6)


def test_dapo_is_the_same_batch_without_weights_and_masks(groups: list[GroupArrays]) -> None:
    plain = assemble(groups, spec(shaping="none", tokenKeepRatio=1, mismatchCap=0))
    assert (plain.batch.token_weights == plain.batch.response_mask).all()
    assert (plain.shaping_weights == 1.0).all()
    vppo = assemble(groups, spec(mismatchCap=0))
    shaped = plain.batch.advantages * vppo.shaping_weights
    assert vppo.batch.advantages == pytest.approx(shaped, rel=1e-6)


def test_a_text_only_group_keeps_all_tokens_and_moves_no_statistic(
    groups: list[GroupArrays],
) -> None:
    mixed, images = assemble(groups, spec(mismatchCap=0)), assemble(groups[:4], spec(mismatchCap=0))
    assert mixed.shaping_weights[:16] == pytest.approx(images.shaping_weights)
    assert (mixed.shaping_weights[16:] == 1.0).all()
    assert (mixed.keep_mask[16:] == mixed.batch.response_mask[16:]).all()


def test_order_of_groups_moves_rows_and_nothing_else(groups: list[GroupArrays]) -> None:
    forward, backward = assemble(groups[:4], spec()), assemble(groups[3::-1], spec())
    rows = np.arange(16).reshape(4, 4)[::-1].ravel()
    assert backward.batch.advantages == pytest.approx(forward.batch.advantages[rows], rel=1e-6)
    assert (backward.keep_mask == forward.keep_mask[rows]).all()


def test_mismatch_weights_correct_the_sampler_and_are_capped(groups: list[GroupArrays]) -> None:
    out = assemble(groups[:1], spec(shaping="none", tokenKeepRatio=1))
    assert out.batch.token_weights[out.batch.response_mask] == pytest.approx(1.0)


def test_metrics_of_a_blind_policy_raise_the_flag(
    prompts: list[PromptBatch], trajectories: list[TrajectoryBatch]
) -> None:
    group = groups_of(prompts[:1], trajectories[:1])[0]
    silent = np.zeros_like(group.scores.token_dependency)
    scores = DependencyBatch(
        old_log_probs=group.scores.old_log_probs,
        token_dependency=silent,
        ref_log_probs=group.scores.ref_log_probs,
        is_perturbed=group.scores.is_perturbed,
        policy_version=0,
    )
    blind = GroupArrays(group.prompts, group.trajectories, group.rewards, scores)
    assert method_values([assemble([blind], spec())], 20)["blindness"] == 1.0
    assert method_values([assemble([group], spec())], 20)["blindness"] == 0.0
