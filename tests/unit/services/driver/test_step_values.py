"""The numbers of a step: answers add up, and what cannot be measured is absent, not 0."""

from typing import Any

import numpy as np
import pytest

from vppo_core.batch.training import TrainingBatch
from vppo_core.catalogue import METRICS, parse
from vppo_core.spec.algorithm import AlgorithmSpec
from vppo_core.spec.job import VPPOJobSpec
from vppo_services.driver.assemble import Assembled
from vppo_services.driver.collect import CollectStats
from vppo_services.driver.metrics import (
    answer_values,
    distributions,
    sampling_values,
    training_values,
)


def assembled(
    *,
    lengths: tuple[int, ...] = (1, 2, 3, 4),
    dependency: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4),
    rewards: tuple[float, ...] = (0.0, 0.0, 1.0, 1.0),
    weights: tuple[float, ...] = (0.9, 1.0, 1.05, 1.1),
    perturbed: tuple[bool, ...] = (True,) * 4,
    versions: tuple[int, ...] = (5,) * 4,
) -> Assembled:
    """Answers of these lengths, each of one dependency throughout."""
    rows, longest = len(lengths), max(lengths)
    mask = np.arange(longest)[None, :] < np.array(lengths)[:, None]
    zeros = np.zeros(mask.shape, np.float32)
    batch = TrainingBatch(
        prompt_index=np.zeros(rows, np.int32),
        response_ids=zeros.astype(np.int32),
        response_mask=mask,
        old_log_probs=zeros,
        ref_log_probs=zeros,
        advantages=np.zeros(rows, np.float32),
        token_weights=zeros,
        policy_versions=np.array(versions, np.int32),
        num_response_tokens=int(mask.sum()),
    )
    return Assembled(
        batch,
        rewards=np.array(rewards, np.float32),
        token_dependency=(np.array(dependency, np.float32)[:, None] * mask).astype(np.float32),
        keep_mask=mask,
        shaping_weights=np.array(weights, np.float32),
        is_perturbed=np.array(perturbed),
        rollout_log_probs=zeros,
    )


def job(**algorithm: Any) -> VPPOJobSpec:
    sections: dict[str, Any] = {"model": {"source": "m"}, "data": {"source": "d"}}
    return VPPOJobSpec.model_validate({**sections, "algorithm": algorithm})


def test_every_value_of_a_step_is_in_the_catalogue() -> None:
    stats = CollectStats(sampled=2, no_signal=1, rewards=[1.0], verdicts={"ok": 1})
    values = sampling_values(stats, kept=1, carried=0)
    values |= training_values([assembled()], job(), version=5)
    for reference in values:
        assert parse(reference)[0].key in METRICS


def test_what_was_trained_is_counted_over_all_mini_batches() -> None:
    batches = [assembled(versions=(3, 4, 5, 5)), assembled()]
    values = training_values(batches, job(), version=5)
    assert values["samples_trained"] == 8.0
    assert values["tokens_trained"] == 20.0
    assert values["policy_staleness_max"] == 2.0
    assert values["response_tokens_p50"] == 2.5
    assert values["response_tokens_p95"] == 4.0
    assert values["response_tokens_max"] == 4.0


def test_the_share_without_signal_is_absent_where_nothing_was_sampled() -> None:
    assert "no_signal_share" not in sampling_values(CollectStats(), kept=4, carried=0)
    stats = CollectStats(sampled=4, no_signal=3, samples=32, tokens=90, wasted_samples=24)
    values = sampling_values(stats, kept=1, carried=0)
    assert values["no_signal_share"] == 0.75
    assert (values["samples_generated"], values["samples_wasted"]) == (32.0, 24.0)


def test_dependency_of_answers_and_its_correlation_with_their_reward() -> None:
    values = answer_values([assembled()], AlgorithmSpec())
    assert values["trajectory_dependency_min"] == pytest.approx(0.1)
    assert values["trajectory_dependency_max"] == pytest.approx(0.4)
    assert values["dependency_reward_correlation"] == pytest.approx(2 / 5**0.5)
    turned = answer_values([assembled(rewards=(1.0, 1.0, 0.0, 0.0))], AlgorithmSpec())
    assert turned["dependency_reward_correlation"] == pytest.approx(-2 / 5**0.5)


def test_answers_without_a_masked_image_or_without_tokens_move_no_dependency() -> None:
    batch = assembled(
        lengths=(0, 2, 3, 4), dependency=(0.0, 0.2, 0.3, 0.0), perturbed=(True, True, True, False)
    )
    values = answer_values([batch], AlgorithmSpec())
    assert values["trajectory_dependency_min"] == pytest.approx(0.2)
    assert values["trajectory_dependency_max"] == pytest.approx(0.3)
    assert values["dependency_reward_correlation"] == pytest.approx(1.0)
    none = answer_values([assembled(perturbed=(False,) * 4)], AlgorithmSpec())
    assert set(none) == {"shaping_weight_bound_share"}


@pytest.mark.parametrize(
    "constant",
    [
        pytest.param({"rewards": (1.0,) * 4}, id="reward"),
        pytest.param({"dependency": (0.2,) * 4}, id="dependency"),
        pytest.param({"dependency": (0.2, 0.2 + 1e-8, 0.2, 0.2)}, id="noise"),
    ],
)
def test_there_is_no_correlation_with_what_is_constant(constant: dict[str, Any]) -> None:
    values = answer_values([assembled(**constant)], AlgorithmSpec())
    assert "dependency_reward_correlation" not in values


@pytest.mark.parametrize(
    ("fields", "share"),
    [
        pytest.param({"shaping": "dynamic"}, 0.25, id="dynamic-minimum"),
        pytest.param({"shaping": "dynamic", "shapingCap": 1.05}, 0.5, id="dynamic-cap"),
        pytest.param({"shaping": "fixed", "shapingMax": 1.1}, 0.5, id="fixed"),
        pytest.param({"shaping": "none"}, None, id="none"),
    ],
)
def test_weights_at_the_bounds_that_the_job_sets(
    fields: dict[str, Any], share: float | None
) -> None:
    values = answer_values([assembled()], AlgorithmSpec.model_validate(fields))
    assert values.get("shaping_weight_bound_share") == share


def test_distributions_have_every_trained_token_and_answer() -> None:
    arrays = distributions([assembled(), assembled(lengths=(2, 2, 2, 9))])
    assert len(arrays["token_dependency"]) == 10 + 15
    assert arrays["response_tokens"].tolist() == [1, 2, 3, 4, 2, 2, 2, 9]
    assert np.count_nonzero(arrays["token_dependency"]) == 25, "padding is no token"
