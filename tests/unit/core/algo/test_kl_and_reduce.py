"""One-sample estimates and masked reductions."""

import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vppo_core.algo.kl import k1, k2, k3
from vppo_core.algo.reduce import masked_mean, masked_sum
from vppo_core.algo.sampling import is_informative

NATS = st.floats(-15.0, 0.0, width=32)


@settings(max_examples=100, deadline=None)
@given(pair=st.tuples(NATS, NATS))
def test_estimates_follow_their_formulas(pair: tuple[float, float]) -> None:
    ours, other = (torch.tensor([x], dtype=torch.float64) for x in pair)
    d = pair[1] - pair[0]
    assert k1(ours, other).item() == -d
    assert math.isclose(k2(ours, other).item(), d * d / 2)
    assert math.isclose(k3(ours, other).item(), math.exp(d) - d - 1, rel_tol=1e-6, abs_tol=1e-12)
    assert k3(ours, other, max_nats=1.0).item() <= 1.0


def test_a_small_k3_is_not_rounded_away_in_float32() -> None:
    got = k3(torch.tensor([0.0]), torch.tensor([1e-3])).item()
    assert math.isclose(got, 5.001667e-7, rel_tol=1e-3)


def test_means_of_estimates_equal_the_exact_kl() -> None:
    p, q = torch.tensor([0.5, 0.3, 0.2]), torch.tensor([0.2, 0.3, 0.5])
    exact = (p * (p / q).log()).sum()
    for estimate in (k1, k3):
        torch.testing.assert_close((p * estimate(p.log(), q.log())).sum(), exact)


@settings(max_examples=50, deadline=None)
@given(
    rows=st.lists(
        st.lists(st.tuples(st.floats(-100, 100), st.booleans()), min_size=3, max_size=3),
        min_size=1,
        max_size=4,
    )
)
def test_reductions_equal_a_loop(rows: list[list[tuple[float, bool]]]) -> None:
    values = torch.tensor([[v for v, _ in row] for row in rows], dtype=torch.float64)
    mask = torch.tensor([[m for _, m in row] for row in rows])
    poisoned = torch.where(mask, values, torch.nan)
    sums = [sum(v for v, m in row if m) for row in rows]
    counts = [sum(m for _, m in row) for row in rows]
    means = [s / max(c, 1) for s, c in zip(sums, counts, strict=True)]
    wanted = torch.tensor(means, dtype=torch.float64)
    torch.testing.assert_close(masked_mean(poisoned, mask, dim=1), wanted)
    torch.testing.assert_close(masked_sum(poisoned, mask).item(), float(sum(sums)))
    torch.testing.assert_close(masked_mean(poisoned, mask).item(), sum(sums) / max(sum(counts), 1))


def test_groups_that_are_all_right_or_all_wrong_teach_nothing() -> None:
    accuracies = torch.zeros(4, 8)
    accuracies[1, 0] = 1.0
    accuracies[2, :7] = 1.0
    accuracies[3] = 1.0
    assert is_informative(accuracies).tolist() == [False, True, True, False]


def test_the_bounds_themselves_are_dropped() -> None:
    accuracies = torch.tensor([[0.0, 0.5], [1.0, 0.5], [1.0, 0.0]])
    assert is_informative(accuracies, low=0.25, high=0.75).tolist() == [False, False, True]
