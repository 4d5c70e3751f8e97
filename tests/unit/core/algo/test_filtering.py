"""Token-level gradient filtering against a loop, exact counts, ties, padding."""

import math
from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vppo_core.algo.filtering import keep_counts, token_keep_mask

RATIOS = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
ROW = st.lists(
    st.tuples(st.sampled_from([0.0, 0.0, 0.1, 0.5, 2.0, math.nan]), st.booleans()),
    min_size=6,
    max_size=6,
)


def by_loop(row: list[tuple[float, bool]], ratio: float) -> list[bool]:
    positions = [i for i, (_, m) in enumerate(row) if m]
    keep = math.ceil(len(positions) * Fraction(str(ratio)))
    rank = {i: -1.0 if math.isnan(row[i][0]) else row[i][0] for i in positions}
    chosen = sorted(positions, key=lambda i: (-rank[i], i))[:keep]
    return [i in chosen for i in range(len(row))]


def every_row(num_rows: int) -> torch.Tensor:
    return torch.ones(num_rows, dtype=torch.bool)


@settings(max_examples=100, deadline=None)
@given(rows=st.lists(ROW, min_size=1, max_size=4), ratio=st.sampled_from(RATIOS))
def test_the_mask_equals_a_loop(rows: list[list[tuple[float, bool]]], ratio: float) -> None:
    scores = torch.tensor([[s for s, _ in row] for row in rows])
    mask = torch.tensor([[m for _, m in row] for row in rows])
    got = token_keep_mask(scores, mask, every_row(len(rows)), keep_ratio=ratio)
    assert got.tolist() == [by_loop(row, ratio) for row in rows]


def test_two_rows_of_three_by_hand() -> None:
    scores = torch.tensor([[0.2, 0.9, 0.5], [3.0, 0.0, 9.0]])
    mask = torch.tensor([[True, True, True], [True, True, False]])
    got = token_keep_mask(scores, mask, every_row(2), keep_ratio=0.4)
    assert got.tolist() == [[False, True, True], [True, False, False]]


@pytest.mark.parametrize("ratio", RATIOS)
def test_counts_are_exact_for_every_length(ratio: float) -> None:
    lengths = torch.arange(8193)
    tenths = round(ratio * 10)
    assert torch.equal(keep_counts(lengths, keep_ratio=ratio), (lengths * tenths + 9) // 10)


def test_float32_counts_are_one_too_many_where_the_official_ones_are() -> None:
    lengths = torch.arange(1, 8193)
    for ratio, wrong, first in ((0.3, 336, 50), (0.6, 677, 25)):
        exact = keep_counts(lengths, keep_ratio=ratio)
        official = keep_counts(lengths, keep_ratio=ratio, rounding="float32")
        excess = official - exact
        assert int((excess != 0).sum()) == wrong
        assert set(excess.tolist()) == {0, 1}
        assert int(lengths[excess != 0][0]) == first
    for ratio in (0.1, 0.2, 0.4, 0.5, 0.7, 0.8, 0.9):
        official = keep_counts(lengths, keep_ratio=ratio, rounding="float32")
        assert torch.equal(official, keep_counts(lengths, keep_ratio=ratio))


def test_ties_keep_the_earliest_whatever_the_padding() -> None:
    for left, right in ((0, 0), (0, 100), (3, 0), (5, 2000)):
        width = left + 10 + right
        mask = torch.zeros(1, width, dtype=torch.bool)
        mask[:, left : left + 10] = True
        got = token_keep_mask(torch.zeros(1, width), mask, every_row(1), keep_ratio=0.4)
        assert got[0].nonzero().flatten().tolist() == list(range(left, left + 4))


def test_rows_whose_image_was_not_masked_keep_all_their_tokens() -> None:
    scores, mask = torch.zeros(2, 5), torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
    got = token_keep_mask(scores, mask, torch.tensor([True, False]), keep_ratio=0.4)
    assert got.sum(dim=1).tolist() == [2, 3]
    assert torch.equal(got[1], mask[1])


def test_a_ratio_of_one_keeps_all_and_an_empty_row_keeps_nothing() -> None:
    mask = torch.tensor([[True, True, False], [False, False, False]])
    scores = torch.tensor([[math.nan, -math.inf, 1.0], [1.0, 1.0, 1.0]])
    assert torch.equal(token_keep_mask(scores, mask, every_row(2), keep_ratio=1.0), mask)


def test_no_rows_and_no_tokens_are_fine() -> None:
    for shape in ((0, 4), (3, 0)):
        mask = torch.ones(shape, dtype=torch.bool)
        got = token_keep_mask(torch.zeros(shape), mask, every_row(shape[0]), keep_ratio=0.4)
        assert got.shape == shape


@pytest.mark.parametrize("ratio", [0.0, -0.1, 1.1, math.nan])
def test_an_impossible_ratio_is_refused(ratio: float) -> None:
    with pytest.raises(ValueError, match="above 0 and at most 1"):
        token_keep_mask(torch.zeros(1, 2), torch.ones(1, 2).bool(), every_row(1), keep_ratio=ratio)


def test_an_unknown_rounding_is_refused() -> None:
    with pytest.raises(ValueError, match="'exact' or 'float32', got 'floor'"):
        keep_counts(torch.tensor([3]), keep_ratio=0.4, rounding="floor")
