"""Trajectory-level advantage shaping: closed form, degenerate sets, reference layout."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vppo_core.algo.balance import balanced_parts
from vppo_core.algo.shaping import reference_shaping_weights, shape_advantages, shaping_weights

SCORES = st.lists(st.floats(0.0, 10.0, width=32), min_size=1, max_size=40)


def valid(scores: list[float]) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.tensor(scores, dtype=torch.float64), torch.ones(len(scores), dtype=torch.bool)


@settings(max_examples=100, deadline=None)
@given(scores=SCORES, minimum=st.sampled_from([0.0, 0.5, 0.9, 1.0]))
def test_dynamic_weights_have_mean_one_and_the_given_minimum(
    scores: list[float], minimum: float
) -> None:
    got = shaping_weights(*valid(scores), minimum=minimum)
    if len(scores) < 2 or max(scores) - min(scores) <= 1e-6:
        assert got.tolist() == [1.0] * len(scores)
        return
    assert abs(got.mean().item() - 1.0) < 1e-6
    assert math.isclose(got.min().item(), minimum, abs_tol=1e-12)
    low, high = min(scores), max(scores)
    normal = [(s - low) / (high - low) for s in scores]
    upper = minimum + (1 - minimum) / (sum(normal) / len(normal))
    for weight, n in zip(got.tolist(), normal, strict=True):
        assert math.isclose(weight, minimum + n * (upper - minimum), rel_tol=1e-6, abs_tol=1e-9)


@settings(max_examples=50, deadline=None)
@given(scores=SCORES)
def test_fixed_weights_span_the_given_bounds(scores: list[float]) -> None:
    got = shaping_weights(*valid(scores), minimum=0.9, maximum=1.1).tolist()
    low, high = min(scores), max(scores)
    for score, weight in zip(scores, got, strict=True):
        flat = len(scores) < 2 or high - low <= 1e-6
        wanted = 1.0 if flat else 0.9 + 0.2 * (score - low) / (high - low)
        assert math.isclose(weight, wanted, rel_tol=1e-9)


def test_three_scores_by_hand() -> None:
    got = shaping_weights(*valid([0.0, 0.1, 0.2]), minimum=0.9)
    torch.testing.assert_close(got, torch.tensor([0.9, 1.0, 1.1], dtype=torch.float64))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000))
def test_weights_do_not_depend_on_the_order_of_rows(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    scores = torch.rand(64, generator=generator)
    order = torch.randperm(64, generator=generator)
    everything = torch.ones(64, dtype=torch.bool)
    got = shaping_weights(scores[order], everything, minimum=0.9)
    torch.testing.assert_close(
        got, shaping_weights(scores, everything, minimum=0.9)[order], rtol=0.0, atol=1e-6
    )


@pytest.mark.parametrize(
    "scores",
    [
        pytest.param([0.3, 0.3, 0.3], id="all-equal"),
        pytest.param([0.3], id="one-response"),
        pytest.param([0.3, 0.3 + 5e-7], id="no-spread-to-speak-of"),
        pytest.param([math.nan, math.nan], id="nothing-is-a-number"),
        pytest.param([math.nan, 0.2], id="one-number"),
    ],
)
@pytest.mark.parametrize("maximum", [None, 1.1])
def test_degenerate_sets_are_not_shaped(scores: list[float], maximum: float | None) -> None:
    got = shaping_weights(*valid(scores), minimum=0.9, maximum=maximum)
    assert got.tolist() == [1.0] * len(scores)


def test_an_empty_set_has_no_weights() -> None:
    nothing = torch.zeros(0)
    assert shaping_weights(nothing, nothing.bool(), minimum=0.9).shape == (0,)


def test_rows_without_an_image_weigh_one_and_move_nothing() -> None:
    images = [0.1, 0.4, 0.2]
    alone = shaping_weights(*valid(images), minimum=0.9)
    mixed = torch.tensor([0.0, *images, math.nan, 50.0, math.inf], dtype=torch.float64)
    is_valid = torch.tensor([False, True, True, True, True, False, True])
    got = shaping_weights(mixed, is_valid, minimum=0.9)
    assert torch.equal(got[1:4], alone)
    assert got[[0, 4, 5, 6]].tolist() == [1.0] * 4


def test_one_outlier_is_unbounded_without_a_cap_and_bounded_with_it() -> None:
    scores = valid([0.0] + [0.09] * 98 + [10.0])
    assert shaping_weights(*scores, minimum=0.9).max() > 5.0
    capped = shaping_weights(*scores, minimum=0.9, cap=1.5)
    assert capped.max() == 1.5
    assert capped.mean() < 1.0  # not centred again


def test_advantages_are_shaped_all_or_only_the_positive() -> None:
    advantages, weights = torch.tensor([2.0, -2.0, 0.0]), torch.tensor([1.5, 1.5, 1.5])
    assert shape_advantages(advantages, weights).tolist() == [3.0, -3.0, 0.0]
    assert shape_advantages(advantages, weights, positive_only=True).tolist() == [3.0, -2.0, 0.0]


def test_reference_weights_by_hand() -> None:
    # Lengths deal rows 0, 3 to one device and 1, 2 to the other; one micro-batch each.
    scores, everything = valid([0.1, 0.2, 0.6, 0.5])
    got = reference_shaping_weights(
        scores, torch.tensor([4, 3, 2, 1]), everything, minimum=0.9, num_ranks=2
    )
    # n = (0, 1) on both devices: mean 1/2, upper bound 0.9 + 0.1 / (1/2 + 1e-8).
    torch.testing.assert_close(got, torch.tensor([0.9, 0.9, 1.1, 1.1], dtype=torch.float64))


def test_reference_weights_are_off_at_micro_batch_one_and_global_ones_are_not() -> None:
    scores, everything = valid([0.05 * i for i in range(16)])
    lengths = torch.arange(16) + 5
    got = reference_shaping_weights(
        scores, lengths, everything, minimum=0.9, num_ranks=2, micro_batch_size=1
    )
    # The one minimum of each device gets 0.9, all others 1.
    assert sorted(round(w, 6) for w in got.tolist()) == [0.9] * 2 + [1.0] * 14
    assert shaping_weights(scores, everything, minimum=0.9).max() > 1.05


def test_reference_weights_leave_degenerate_devices_and_invalid_rows_alone() -> None:
    scores = torch.tensor([0.3, 0.3, 0.3, math.nan], dtype=torch.float64)
    everything = torch.ones(4, dtype=torch.bool)
    lengths = torch.tensor([4, 3, 2, 1])
    ones = [1.0] * 4
    assert reference_shaping_weights(scores, lengths, everything, minimum=0.9).tolist() == ones
    two = reference_shaping_weights(scores, lengths, ~everything, minimum=0.9, num_ranks=2)
    assert two.tolist() == ones


@settings(max_examples=60, deadline=None)
@given(lengths=st.lists(st.integers(1, 500), max_size=40), num_parts=st.integers(1, 8))
def test_parts_hold_every_row_once_in_equal_numbers(lengths: list[int], num_parts: int) -> None:
    parts = balanced_parts(lengths, num_parts)
    assert len(parts) == num_parts
    assert sorted(row for part in parts for row in part) == list(range(len(lengths)))
    assert all(part == sorted(part) for part in parts)
    if len(lengths) % num_parts == 0:
        assert {len(part) for part in parts} == {len(lengths) // num_parts}


def test_parts_are_close_in_tokens() -> None:
    generator = torch.Generator().manual_seed(0)
    lengths = torch.randint(100, 2000, (256,), generator=generator).tolist()
    loads = [sum(lengths[row] for row in part) for part in balanced_parts(lengths, 8)]
    assert max(loads) - min(loads) < 0.01 * sum(loads) / 8
