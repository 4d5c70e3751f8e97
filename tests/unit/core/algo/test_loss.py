"""The loss on packed tokens against a loop, its gradients, and the penalties."""

import math
from dataclasses import fields

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from vppo_core.algo.loss import (
    PolicyLoss,
    entropy_penalty,
    mismatch_weights,
    nll_penalty,
    policy_loss,
    reference_kl,
)

CLIPS = {"clip_low": 0.2, "clip_high": 0.28, "dual_clip": 3.0}
TOKEN = st.tuples(
    st.floats(-6.0, 0.0), st.floats(-6.0, 0.0), st.floats(-3.0, 3.0), st.sampled_from([0.0, 1.0])
)


def by_loop(rows: list[tuple[float, ...]], dual_clip: float) -> tuple[float, int, int, int]:
    total, low, high, dual = 0.0, 0, 0, 0
    for log_prob, old, advantage, weight in rows:
        ratio = math.exp(log_prob - old)
        clipped = min(max(ratio, 0.8), 1.28)
        loss = max(-advantage * ratio, -advantage * clipped)
        if -advantage * clipped > -advantage * ratio:
            low += advantage < 0
            high += advantage > 0
        if advantage < 0 and dual_clip and loss > -advantage * dual_clip:
            loss = -advantage * dual_clip
            dual += 1
        total += loss * weight
    return total, low, high, dual


def numbers(loss: PolicyLoss) -> list[Tensor]:
    return [getattr(loss, field.name) for field in fields(loss)]


def columns(rows: list[tuple[float, ...]]) -> list[Tensor]:
    return list(torch.tensor(rows, dtype=torch.float64).reshape(-1, 4).T)


@pytest.mark.parametrize("dual_clip", [0.0, 3.0])
@settings(max_examples=80, deadline=None)
@given(rows=st.lists(TOKEN, max_size=20))
def test_the_surrogate_equals_a_loop(dual_clip: float, rows: list[tuple[float, ...]]) -> None:
    got = policy_loss(*columns(rows), **{**CLIPS, "dual_clip": dual_clip}, denominator=7.0)
    total, low, high, dual = by_loop(rows, dual_clip)
    assert math.isclose(got.loss.item(), total / 7.0, rel_tol=1e-9, abs_tol=1e-12)
    assert (got.clipped_low.item(), got.clipped_high.item()) == (low, high)
    assert got.dual_clipped.item() == dual


def test_six_tokens_by_hand() -> None:
    ratio = torch.tensor([1.0, 2.0, 0.5, 0.5, 2.0, 5.0])
    advantages = torch.tensor([1.0, 1.0, 1.0, -1.0, -1.0, -1.0])
    got = policy_loss(
        ratio.log(), torch.zeros(6), advantages, torch.ones(6), **CLIPS, denominator=6
    )
    # -1, clipped -1.28, -0.5, clipped 0.8, 2.0, dual 3.0
    torch.testing.assert_close(got.loss, torch.tensor((-1 - 1.28 - 0.5 + 0.8 + 2 + 3) / 6))
    counts = (got.clipped_low.item(), got.clipped_high.item(), got.dual_clipped.item())
    assert counts == (1, 1, 1)
    assert got.ratio.item() == pytest.approx(11.0)


def test_clipped_and_filtered_tokens_have_no_gradient() -> None:
    log_probs = torch.tensor([1.0, 2.0, 0.5, 0.5, 2.0, 5.0]).log().requires_grad_()
    advantages = torch.tensor([1.0, 1.0, 1.0, -1.0, -1.0, -1.0])
    weights = torch.tensor([1.0, 1.0, 0.0, 1.0, 1.0, 1.0])
    loss = policy_loss(log_probs, torch.zeros(6), advantages, weights, **CLIPS, denominator=1).loss
    loss.backward()
    torch.testing.assert_close(log_probs.grad, torch.tensor([-1.0, 0.0, 0.0, 0.0, 2.0, 0.0]))


def test_filtering_shrinks_the_loss_and_leaves_the_denominator() -> None:
    advantages, weights = torch.ones(5), torch.tensor([1.0, 1.0, 0.0, 0.0, 0.0])
    loss = policy_loss(
        torch.zeros(5), torch.zeros(5), advantages, weights, **CLIPS, denominator=5
    ).loss
    assert loss.item() == pytest.approx(-0.4)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), cut=st.integers(0, 12))
def test_micro_batches_add_up_to_the_mini_batch(seed: int, cut: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    parts = torch.randn(4, 12, generator=generator, dtype=torch.float64)
    options = {**CLIPS, "denominator": 12.0}

    def gradient(slices: list[slice]) -> tuple[Tensor, list[Tensor]]:
        log_probs = parts[0].clone().requires_grad_()
        sums = []
        for rows in slices:
            got = policy_loss(
                log_probs[rows], parts[1, rows], parts[2, rows], parts[3, rows].abs(), **options
            )
            (
                got.loss
                + 0.06 * nll_penalty(log_probs[rows], 12.0)
                + 0.01 * reference_kl(log_probs[rows], parts[1, rows], 12.0)
            ).backward()
            sums.append(torch.stack([x.detach().double() for x in numbers(got)]))
        return log_probs.grad, torch.stack(sums).sum(0)

    whole, split = gradient([slice(0, 12)]), gradient([slice(0, cut), slice(cut, 12)])
    torch.testing.assert_close(whole, split, rtol=1e-9, atol=1e-12)


def test_an_empty_micro_batch_gives_zero_and_a_zero_gradient() -> None:
    nothing = torch.zeros(0, requires_grad=True)
    got = policy_loss(
        nothing, nothing.detach(), nothing.detach(), nothing.detach(), **CLIPS, denominator=3
    )
    got.loss.backward()
    assert got.loss.item() == 0.0
    assert nothing.grad.shape == (0,)


def test_extreme_ratios_stay_finite() -> None:
    log_probs = torch.tensor([0.0, -300.0], requires_grad=True)
    old = torch.tensor([-300.0, 0.0])
    got = policy_loss(
        log_probs, old, torch.tensor([-1.0, 1.0]), torch.ones(2), **CLIPS, denominator=2
    )
    got.loss.backward()
    assert all(torch.isfinite(x) for x in numbers(got))
    assert torch.isfinite(log_probs.grad).all()


@pytest.mark.parametrize("denominator", [0.0, -1.0, math.nan])
def test_a_denominator_without_tokens_is_refused(denominator: float) -> None:
    with pytest.raises(ValueError, match="denominator must be above 0"):
        nll_penalty(torch.zeros(2), denominator)


def test_penalties_by_hand() -> None:
    log_probs = torch.tensor([-1.0, -3.0])
    assert nll_penalty(log_probs, 4.0).item() == 1.0
    assert entropy_penalty(torch.tensor([0.5, 1.5]), 4.0).item() == 0.5
    d = torch.tensor([0.5, -2.0])
    wanted = (d.exp() - d - 1).sum() / 4.0
    torch.testing.assert_close(reference_kl(log_probs, log_probs + d, 4.0), wanted)


def test_the_expected_gradient_of_the_sampled_penalty_is_zero_and_of_the_entropy_is_not() -> None:
    logits = torch.tensor([0.3, -0.2, 1.0], dtype=torch.float64, requires_grad=True)
    probs = torch.softmax(logits, 0).detach()
    sampled = sum(
        p
        * torch.autograd.grad(nll_penalty(torch.log_softmax(logits, 0)[i : i + 1], 1.0), logits)[0]
        for i, p in enumerate(probs)
    )
    log_p = torch.log_softmax(logits, 0)
    entropy = -(log_p.exp() * log_p).sum()
    full = torch.autograd.grad(entropy_penalty(entropy[None], 1.0), logits)[0]
    assert sampled.abs().max() < 1e-12
    assert full.abs().max() > 0.05


def test_mismatch_weights_are_one_for_equal_engines_capped_and_detached() -> None:
    old = torch.tensor([-1.0, -1.0, -1.0, -900.0], requires_grad=True)
    rollout = torch.tensor([-1.0, -1.0 - math.log(2.0), -4.0, 0.0])
    got = mismatch_weights(old, rollout, cap=3.0)
    torch.testing.assert_close(got, torch.tensor([1.0, 2.0, 3.0, math.exp(-20.0)]))
    assert not got.requires_grad
    assert mismatch_weights(old, rollout, cap=0.0).tolist() == [1.0] * 4


def test_mismatch_weights_are_unbiased_without_the_cap() -> None:
    learner, sampler = torch.tensor([0.5, 0.3, 0.2]), torch.tensor([0.4, 0.4, 0.2])
    weights = mismatch_weights(learner.log(), sampler.log(), cap=100.0)
    torch.testing.assert_close(sampler * weights, learner)
