"""Numbers of the authors' formulas: VPPO-RL a23c54b, and its paper, arXiv:2510.09285v2.

The recorded values were worked out from the formulas as published; the functions beside them are
those formulas written down a second time, as directly as possible.
"""

import math

import pytest
import torch
from torch import Tensor

from vppo_core.algo.advantage import group_advantages
from vppo_core.algo.dependency import kl_sampled
from vppo_core.algo.filtering import token_keep_mask
from vppo_core.algo.loss import nll_penalty, policy_loss
from vppo_core.algo.sampling import is_informative
from vppo_core.algo.shaping import reference_shaping_weights, shaping_weights


@pytest.mark.parametrize(
    ("log_ratio", "dependency"),
    [
        (-10.0, 9.00),
        (-5.0, 4.01),
        (-2.0, 1.135),
        (-1.0, 0.368),
        (-0.5, 0.107),
        (-0.1, 0.0048),
        (0.0, 0.0),
        (0.1, 0.0052),
        (0.5, 0.149),
        (1.0, 0.718),
        (2.0, 4.39),
        (2.56, 9.38),
        (2.611, 10.0),
        (-11.0, 10.0),
        (25.0, 10.0),
        (-25.0, 10.0),
    ],
)
def test_sampled_dependency_by_log_ratio(log_ratio: float, dependency: float) -> None:
    old = torch.tensor([-1.5])
    got = kl_sampled(old, old + log_ratio).item()
    assert got == pytest.approx(dependency, rel=5e-3, abs=5e-5)


@pytest.mark.parametrize(
    ("num_correct", "right", "wrong"),
    [(1, 2.475, -0.354), (2, 1.620, -0.540), (4, 0.935, -0.935)],
)
def test_advantages_of_a_group_of_eight(num_correct: int, right: float, wrong: float) -> None:
    rewards = torch.tensor([1.0] * num_correct + [0.0] * (8 - num_correct))
    got = group_advantages(rewards, torch.zeros(8, dtype=torch.int64))
    wanted = [right] * num_correct + [wrong] * (8 - num_correct)
    assert got.tolist() == pytest.approx(wanted, abs=6e-4)


def test_shaping_range_of_the_published_distribution() -> None:
    # Minimum about 0, mean 0.09, maximum 0.30 (Fig. 4): weights from 0.9 to 1.23.
    scores = torch.tensor([0.0, 0.03, 0.06, 0.06, 0.09, 0.09, 0.09, 0.30])
    got = shaping_weights(scores, torch.ones(8, dtype=torch.bool), minimum=0.9)
    assert scores.mean().item() == pytest.approx(0.09)
    assert got.min().item() == pytest.approx(0.9)
    assert got.max().item() == pytest.approx(1.2333, abs=1e-3)


def official_keep_mask(scores: Tensor, mask: Tensor, ratio: float) -> Tensor:
    lengths = mask.sum(dim=1).to(torch.float32)
    counts = torch.ceil(lengths * ratio).long()
    order = scores.masked_fill(~mask, -torch.inf).argsort(dim=1, descending=True)
    ranks = torch.empty_like(order)
    ranks.scatter_(1, order, torch.arange(scores.shape[1]).expand_as(order))
    return (ranks < counts[:, None]) & mask


@pytest.mark.parametrize("ratio", [0.2, 0.3, 0.4, 0.6])
def test_kept_tokens_without_ties(ratio: float) -> None:
    generator = torch.Generator().manual_seed(0)
    scores = torch.rand(64, 100, generator=generator)
    lengths = torch.randint(1, 101, (64,), generator=generator)
    mask = torch.arange(100) < lengths[:, None]
    got = token_keep_mask(
        scores, mask, torch.ones(64, dtype=torch.bool), keep_ratio=ratio, rounding="float32"
    )
    assert torch.equal(got, official_keep_mask(scores, mask, ratio))


def official_alpha(scores: Tensor, minimum: float) -> Tensor:
    """One device with one micro-batch, as written there."""
    normal = (scores - scores.min()) / (scores.max() - scores.min())
    maximum = minimum + (1 - minimum) / (normal.mean() + 1e-8)
    return minimum + normal * (maximum - minimum)


def test_reference_weights_of_one_device_and_of_the_whole_set() -> None:
    scores = torch.rand(16, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    everything = torch.ones(16, dtype=torch.bool)
    wanted = official_alpha(scores, 0.9)
    got = reference_shaping_weights(
        scores, torch.ones(16, dtype=torch.int64), everything, minimum=0.9, num_ranks=1
    )
    torch.testing.assert_close(got, wanted, rtol=1e-12, atol=1e-12)
    closed = shaping_weights(scores, everything, minimum=0.9)
    torch.testing.assert_close(closed, wanted, rtol=0.0, atol=1e-7)


def official_loss(log_probs: Tensor, old: Tensor, advantages: Tensor, kept: Tensor) -> Tensor:
    difference = torch.clamp(log_probs - old, -20.0, 20.0)
    ratio = torch.exp(difference)
    clipped = torch.exp(torch.clamp(difference, math.log(0.8), math.log(1.28)))
    first, second, third = -advantages * ratio, -advantages * clipped, -advantages * 3.0
    upper = torch.max(first, second)
    lower = torch.min(upper, third)
    return (torch.where(advantages < 0, lower, upper) * kept).sum() / len(log_probs)


def test_loss_and_penalty_with_gradients() -> None:
    generator = torch.Generator().manual_seed(2)
    old, noise, advantages = torch.randn(3, 400, generator=generator, dtype=torch.float64)
    kept = (torch.rand(400, generator=generator) < 0.4).double()
    values, grads = [], []
    for ours in (True, False):
        log_probs = (old + 0.8 * noise).requires_grad_()
        if ours:
            loss = policy_loss(
                log_probs,
                old,
                advantages,
                kept,
                clip_low=0.2,
                clip_high=0.28,
                dual_clip=3.0,
                denominator=400.0,
            ).loss + 0.06 * nll_penalty(log_probs, 400.0)
        else:
            loss = official_loss(log_probs, old, advantages, kept) - 0.06 * log_probs.mean()
        loss.backward()
        values.append(loss.detach())
        grads.append(log_probs.grad)
    torch.testing.assert_close(values[0], values[1], rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(grads[0], grads[1], rtol=1e-12, atol=1e-12)


def test_filter_keeps_one_in_eight_to_seven_in_eight() -> None:
    accuracies = torch.tensor([[1.0] * k + [0.0] * (8 - k) for k in range(9)])
    assert is_informative(accuracies).tolist() == [0 < k < 8 for k in range(9)]
