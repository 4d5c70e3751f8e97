import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vppo_core.errors import ConsistencyError
from vppo_services.rollout.sampling import Rollout, SamplingSettings, build_group, sample_seed

KEYS = st.tuples(
    st.integers(0, 2**31 - 1), st.text(max_size=20), st.integers(0, 1000), st.integers(0, 127)
)


def rollout(ids: list[int], **changes: object) -> Rollout:
    made = Rollout(ids=ids, log_probs=[-0.5] * len(ids), is_finished=True, text="t")
    return dataclasses.replace(made, **changes)


@given(KEYS)
def test_a_seed_has_63_bits_and_is_the_same_every_time(key: tuple[int, str, int, int]) -> None:
    assert sample_seed(*key) == sample_seed(*key)
    assert 0 <= sample_seed(*key) < 2**63


@given(KEYS, KEYS)
def test_different_rollouts_have_different_seeds(
    first: tuple[int, str, int, int], second: tuple[int, str, int, int]
) -> None:
    assert (sample_seed(*first) == sample_seed(*second)) == (first == second)


def test_seeds_do_not_change_between_releases() -> None:
    # A resumed run must draw what the run before it would have drawn.
    assert sample_seed(7, "row-3", 1, 2) == 960702408412758271


def test_a_uid_that_looks_like_numbers_is_not_confused_with_them() -> None:
    assert sample_seed(1, "2/3", 4, 5) != sample_seed(1, "3", 4, 5)
    assert sample_seed(1, "a", 23, 4) != sample_seed(1, "a", 2, 34)


def test_a_group_is_padded_right_and_masked_where_nothing_was_sampled() -> None:
    rollouts = [
        rollout([5, 6, 2], log_probs=[-1.0, -2.0, -3.0], text="long"),
        rollout([7], log_probs=[-0.25], is_finished=False, text="short"),
    ]
    group = build_group(rollouts, policy_version=4, banned_ids=(99,))
    assert group.response_ids.tolist() == [[5, 6, 2], [7, 0, 0]]
    assert group.response_mask.tolist() == [[True] * 3, [True, False, False]]
    assert group.rollout_log_probs.tolist() == [[-1.0, -2.0, -3.0], [-0.25, 0.0, 0.0]]
    assert group.prompt_index.tolist() == [0, 0]
    assert group.sample_index.tolist() == [0, 1]
    assert group.is_finished.tolist() == [True, False]
    assert group.texts == ("long", "short")
    assert group.policy_version == 4
    assert group.response_ids.dtype == np.int32
    assert group.rollout_log_probs.dtype == np.float32


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        pytest.param(rollout([5, 99]), r"\[99\]", id="banned-id"),
        pytest.param(rollout([]), "0 tokens", id="empty"),
        pytest.param(rollout([5], log_probs=[-1.0, -1.0]), "2 log-probs", id="log-probs-too-many"),
        pytest.param(rollout([5], log_probs=[float("nan")]), "finite", id="not-a-number"),
        pytest.param(rollout([5], log_probs=[float("-inf")]), "finite", id="impossible-token"),
        pytest.param(rollout([5], log_probs=[0.5]), "at most 0", id="above-one"),
    ],
)
def test_a_rollout_that_cannot_be_true_is_refused(bad: Rollout, words: str) -> None:
    with pytest.raises(ConsistencyError, match=words):
        build_group([rollout([1]), bad], policy_version=0, banned_ids=(99,))


def test_a_log_prob_may_exceed_zero_by_rounding() -> None:
    group = build_group([rollout([5], log_probs=[1e-7])], policy_version=0, banned_ids=())
    assert group.response_ids.tolist() == [[5]]


@pytest.mark.parametrize(
    "changes",
    [{"group_size": 0}, {"max_tokens": 0}, {"temperature": -1.0}, {"top_p": 0.0}, {"top_k": -1}],
)
def test_settings_that_cannot_be_sampled_with_are_refused(changes: dict[str, float]) -> None:
    with pytest.raises(AssertionError):
        SamplingSettings(**{"group_size": 2, "max_tokens": 3, "temperature": 1.0, **changes})


def test_evaluation_may_ask_once_and_without_chance() -> None:
    assert SamplingSettings(group_size=1, max_tokens=3, temperature=0.0).is_greedy
