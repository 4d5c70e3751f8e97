"""Token dependency: each estimator against the whole distributions."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from vppo_core.algo.dependency import (
    jsd,
    kl_full,
    kl_sampled,
    score_views,
    top1_drop,
    trajectory_dependency,
)

ESTIMATORS = ("kl_full", "kl_sampled", "jsd", "top1_drop")


def views(
    seed: int, tokens: int = 7, width: int = 5, vocabulary: int = 11, shift: float = 0.5
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    hidden = torch.randn(tokens, width, generator=generator, dtype=torch.float64)
    noise = torch.randn(tokens, width, generator=generator, dtype=torch.float64)
    weight = torch.randn(vocabulary, width, generator=generator, dtype=torch.float64)
    token_ids = torch.randint(vocabulary, (tokens,), generator=generator)
    return hidden, hidden + shift * noise, weight, token_ids


def distribution(
    hidden: Tensor, weight: Tensor, temperature: float = 1.0, banned: tuple[int, ...] = ()
) -> Tensor:
    logits = hidden @ weight.T
    for column in banned:
        logits[:, column] -= 100.0
    return torch.log_softmax(logits / temperature, dim=-1)


def expected(name: str, p: Tensor, q: Tensor, token_ids: Tensor) -> Tensor:
    at_p, at_q = (x.gather(1, token_ids[:, None]).squeeze(1) for x in (p, q))
    if name == "kl_full":
        return (p.exp() * (p - q)).sum(-1)
    if name == "kl_sampled":
        d = at_q - at_p
        return d.exp() - d - 1
    if name == "top1_drop":
        return at_p.exp() - at_q.exp()
    m = ((p.exp() + q.exp()) / 2).log()
    return 0.5 * ((p.exp() * (p - m)).sum(-1) + (q.exp() * (q - m)).sum(-1))


@pytest.mark.parametrize("name", ESTIMATORS)
@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    tokens=st.integers(0, 9),
    vocabulary=st.integers(2, 13),
    chunk_tokens=st.integers(1, 10),
    chunk_vocabulary=st.integers(1, 15),
    temperature=st.sampled_from([0.5, 1.0, 1.7]),
)
def test_any_tiling_equals_the_whole_distributions(
    name: str,
    seed: int,
    tokens: int,
    vocabulary: int,
    chunk_tokens: int,
    chunk_vocabulary: int,
    temperature: float,
) -> None:
    hidden, perturbed, weight, token_ids = views(seed, tokens=tokens, vocabulary=vocabulary)
    p = distribution(hidden, weight, temperature, (1,))
    q = distribution(perturbed, weight, temperature, (1,))
    old_log_probs, got = score_views(
        hidden,
        perturbed,
        weight,
        token_ids,
        estimator=name,
        max_nats=1000.0,
        temperature=temperature,
        banned_ids=torch.tensor([1]),
        chunk_tokens=chunk_tokens,
        chunk_vocabulary=chunk_vocabulary,
    )
    torch.testing.assert_close(old_log_probs, p.gather(1, token_ids[:, None]).squeeze(1))
    wanted = expected(name, p, q, token_ids).clamp(max=1000.0)
    torch.testing.assert_close(got, wanted, rtol=1e-7, atol=1e-9)


def test_the_single_functions_agree_with_the_joint_visit() -> None:
    hidden, perturbed, weight, token_ids = views(1)
    tiles = {"chunk_tokens": 2, "chunk_vocabulary": 3}
    for name, function in (("kl_full", kl_full), ("jsd", jsd)):
        _, joint = score_views(hidden, perturbed, weight, token_ids, estimator=name, **tiles)
        assert torch.equal(function(hidden, perturbed, weight, **tiles), joint)


def test_two_tokens_of_three_by_hand() -> None:
    hidden, perturbed = torch.tensor([[0.0], [1.0]]), torch.tensor([[1.0], [1.0]])
    weight = torch.tensor([[0.0], [math.log(2.0)], [math.log(5.0)]])
    p, q = [1 / 3] * 3, [1 / 8, 2 / 8, 5 / 8]
    exact = sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
    got = kl_full(hidden, perturbed, weight, chunk_vocabulary=2)
    torch.testing.assert_close(got, torch.tensor([exact, 0.0]), rtol=1e-6, atol=1e-7)
    _, drop = score_views(hidden, perturbed, weight, torch.tensor([0, 0]), estimator="top1_drop")
    torch.testing.assert_close(drop, torch.tensor([1 / 3 - 1 / 8, 0.0]))


def test_exact_kl_is_precise_in_float32_even_when_it_is_tiny() -> None:
    hidden, perturbed, weight, _ = views(2, tokens=40, width=16, vocabulary=3000, shift=0.003)
    weight = weight * 2.0
    exact = expected(
        "kl_full",
        distribution(hidden.float().double(), weight.float().double()),
        distribution(perturbed.float().double(), weight.float().double()),
        torch.zeros(40, dtype=torch.int64),
    )
    got = kl_full(hidden.float(), perturbed.float(), weight.float(), chunk_vocabulary=512)
    assert exact.median() < 1e-3
    torch.testing.assert_close(got.double(), exact, rtol=0.01, atol=2e-6)


def test_exact_kl_in_float32_does_not_depend_on_the_tiles() -> None:
    hidden, perturbed, weight, _ = (
        x.float() for x in views(3, tokens=33, width=16, vocabulary=2000)
    )
    reference = kl_full(hidden, perturbed, weight)
    for tokens, columns in ((1, 128), (7, 999), (64, 2000)):
        got = kl_full(hidden, perturbed, weight, chunk_tokens=tokens, chunk_vocabulary=columns)
        torch.testing.assert_close(got, reference, rtol=1e-4, atol=2e-6)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), kept=st.integers(1, 10))
def test_exact_kl_is_at_least_that_of_the_top_tokens_and_a_tail(seed: int, kept: int) -> None:
    hidden, perturbed, weight, _ = views(seed)
    p, q = distribution(hidden, weight).exp(), distribution(perturbed, weight).exp()
    top = p.topk(kept, dim=-1).indices
    head_p, head_q = p.gather(1, top), q.gather(1, top)
    tail_p, tail_q = 1 - head_p.sum(-1), 1 - head_q.sum(-1)
    coarse = (head_p * (head_p / head_q).log()).sum(-1) + tail_p * (tail_p / tail_q).log()
    got = kl_full(hidden, perturbed, weight, max_nats=1e6, chunk_vocabulary=4)
    assert (got >= 0).all()
    assert (got >= coarse - 1e-9).all()


def test_the_sampled_estimate_has_the_exact_kl_as_its_mean() -> None:
    hidden, perturbed, weight, _ = views(4, tokens=1, shift=0.2)
    p, q = distribution(hidden, weight), distribution(perturbed, weight)
    generator = torch.Generator().manual_seed(0)
    drawn = torch.multinomial(p[0].exp(), 200_000, replacement=True, generator=generator)
    mean = kl_sampled(p[0, drawn], q[0, drawn], max_nats=1e6).mean()
    exact = kl_full(hidden, perturbed, weight)[0]
    assert abs(mean - exact) / exact < 0.02


@pytest.mark.parametrize("name", ESTIMATORS)
def test_equal_views_have_no_dependency(name: str) -> None:
    hidden, _, weight, token_ids = views(5)
    _, got = score_views(hidden, hidden, weight, token_ids, estimator=name, chunk_vocabulary=4)
    torch.testing.assert_close(got, torch.zeros_like(got), rtol=0.0, atol=1e-12)


def test_opposite_certainties_are_clamped_and_finite() -> None:
    hidden, perturbed = torch.tensor([[1.0]]), torch.tensor([[-1.0]])
    weight = torch.tensor([[500.0], [0.0], [-500.0]])
    tiles = {"chunk_vocabulary": 1}
    assert kl_full(hidden, perturbed, weight, max_nats=10.0, **tiles).item() == 10.0
    assert kl_full(hidden, perturbed, weight, max_nats=1e4, **tiles).item() == 1000.0
    assert jsd(hidden, perturbed, weight, **tiles).item() == pytest.approx(math.log(2.0))


def test_a_sampled_estimate_is_bounded_and_not_monotone() -> None:
    old = torch.zeros(5)
    got = kl_sampled(old, torch.tensor([-30.0, -1.0, 1.0, 3.0, 30.0]))
    assert got[2] > got[1]
    assert got.tolist()[3:] == [10.0, 10.0]
    assert got[0] == 10.0


def test_a_token_that_gains_without_the_image_has_a_negative_drop() -> None:
    got = top1_drop(torch.tensor([0.5, 0.25]).log(), torch.tensor([0.25, 0.5]).log())
    torch.testing.assert_close(got, torch.tensor([0.25, -0.25]))


def test_no_tokens_give_no_scores() -> None:
    hidden, perturbed, weight, token_ids = views(6, tokens=0)
    for name in ESTIMATORS:
        log_probs, got = score_views(hidden, perturbed, weight, token_ids, estimator=name)
        assert log_probs.shape == got.shape == (0,)


def test_scoring_leaves_no_graph_behind() -> None:
    hidden, perturbed, weight, token_ids = views(7)
    log_probs, got = score_views(
        hidden.requires_grad_(), perturbed, weight.requires_grad_(), token_ids
    )
    assert not log_probs.requires_grad
    assert not got.requires_grad


def test_an_unknown_estimator_is_named_with_the_known_ones() -> None:
    hidden, perturbed, weight, token_ids = views(8)
    with pytest.raises(ValueError, match="kl_full, kl_sampled, jsd, top1_drop, got 'kl'"):
        score_views(hidden, perturbed, weight, token_ids, estimator="kl")


def test_trajectory_dependency_is_the_mean_over_the_response() -> None:
    tokens = torch.tensor([[1.0, 2.0, 6.0], [4.0, torch.nan, 9.0], [torch.nan, 1.0, 1.0]])
    mask = torch.tensor([[True, True, True], [True, False, False], [False, False, False]])
    assert trajectory_dependency(tokens, mask).tolist() == [3.0, 4.0, 0.0]
