"""Group advantages against a loop."""

import statistics

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vppo_core.algo.advantage import group_advantages

KINDS = ("group_std", "group_mean", "leave_one_out")
ROWS = st.lists(st.tuples(st.integers(-2, 3), st.sampled_from([0.0, 0.1, 0.5, 1.0])), max_size=24)


def by_loop(rows: list[tuple[int, float]], kind: str) -> list[float]:
    out = []
    for row, (group, reward) in enumerate(rows):
        members = [r for g, r in rows if g == group]
        others = [r for i, (g, r) in enumerate(rows) if g == group and i != row]
        if len(set(members)) == 1:
            out.append(0.0)
        elif kind == "leave_one_out":
            out.append(reward - statistics.fmean(others))
        else:
            scale = statistics.stdev(members) + 1e-6 if kind == "group_std" else 1.0
            out.append((reward - statistics.fmean(members)) / scale)
    return out


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60, deadline=None)
@given(rows=ROWS)
def test_advantages_equal_a_loop(kind: str, rows: list[tuple[int, float]]) -> None:
    rewards = torch.tensor([r for _, r in rows], dtype=torch.float64)
    groups = torch.tensor([g for g, _ in rows], dtype=torch.int64)
    got = group_advantages(rewards, groups, kind=kind)
    wanted = torch.tensor(by_loop(rows, kind), dtype=torch.float64)
    torch.testing.assert_close(got, wanted, rtol=1e-9, atol=1e-9)


def test_two_groups_of_three_by_hand() -> None:
    rewards = torch.tensor([1.0, 0.0, 0.0, 1.0, 1.0, 0.0])
    groups = torch.tensor([0, 0, 0, 1, 1, 1])
    mean = group_advantages(rewards, groups, kind="group_mean")
    third = 1 / 3
    wanted = torch.tensor([2 * third, -third, -third, third, third, -2 * third])
    torch.testing.assert_close(mean, wanted)
    torch.testing.assert_close(
        group_advantages(rewards, groups, kind="leave_one_out"), wanted * 1.5
    )
    # The unbiased deviation of one in three is sqrt(1/3).
    torch.testing.assert_close(
        group_advantages(rewards, groups), wanted / (third**0.5 + 1e-6), rtol=1e-6, atol=1e-6
    )


@pytest.mark.parametrize("kind", KINDS)
def test_equal_rewards_have_no_advantage_not_a_rounding_residue(kind: str) -> None:
    got = group_advantages(torch.full((7,), 0.1), torch.zeros(7, dtype=torch.int64), kind=kind)
    assert got.tolist() == [0.0] * 7


def test_scattered_groups_get_what_sorted_groups_get() -> None:
    generator = torch.Generator().manual_seed(0)
    rewards = torch.randint(2, (24,), generator=generator).float()
    groups = torch.arange(3).repeat_interleave(8)
    order = torch.randperm(24, generator=generator)
    scattered = group_advantages(rewards[order], groups[order])
    torch.testing.assert_close(scattered, group_advantages(rewards, groups)[order])


def test_a_single_answer_and_no_answer_have_no_advantage() -> None:
    assert group_advantages(torch.ones(1), torch.tensor([4])).tolist() == [0.0]
    assert group_advantages(torch.ones(0), torch.zeros(0, dtype=torch.int64)).shape == (0,)


def test_an_unknown_kind_is_named_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="group_std, group_mean, leave_one_out, got 'gae'"):
        group_advantages(torch.ones(2), torch.zeros(2, dtype=torch.int64), kind="gae")
