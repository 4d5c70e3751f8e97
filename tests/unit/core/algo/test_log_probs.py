"""Chunked log-probs and entropy against the whole logits, values and gradients."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from vppo_core.algo.log_probs import (
    chunked_entropy,
    chunked_log_probs,
    chunked_log_probs_and_entropy,
)

TILES = {"chunk_tokens": 3, "chunk_vocabulary": 4}


def problem(seed: int, tokens: int = 7, width: int = 5, vocabulary: int = 11) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    hidden = torch.randn(tokens, width, generator=generator, dtype=torch.float64)
    weight = torch.randn(vocabulary, width, generator=generator, dtype=torch.float64)
    return [hidden, weight, torch.randint(vocabulary, (tokens,), generator=generator)]


def whole(hidden: Tensor, weight: Tensor, temperature: float, banned: list[int]) -> Tensor:
    logits = hidden @ weight.T
    bias = torch.zeros_like(logits)
    bias[:, banned] = -100.0
    return torch.log_softmax((logits + bias) / temperature, dim=-1)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    tokens=st.integers(0, 9),
    vocabulary=st.integers(1, 13),
    chunk_tokens=st.integers(1, 10),
    chunk_vocabulary=st.integers(1, 15),
    temperature=st.sampled_from([0.5, 1.0, 1.7]),
    num_banned=st.integers(0, 3),
)
def test_any_tiling_equals_the_whole_softmax(
    seed: int,
    tokens: int,
    vocabulary: int,
    chunk_tokens: int,
    chunk_vocabulary: int,
    temperature: float,
    num_banned: int,
) -> None:
    hidden, weight, token_ids = problem(seed, tokens=tokens, vocabulary=vocabulary)
    banned = [(seed + 3 * i) % vocabulary for i in range(num_banned)]
    expected = whole(hidden, weight, temperature, banned)
    log_probs, entropy = chunked_log_probs_and_entropy(
        hidden,
        weight,
        token_ids,
        temperature=temperature,
        banned_ids=torch.tensor(banned, dtype=torch.int64),
        chunk_tokens=chunk_tokens,
        chunk_vocabulary=chunk_vocabulary,
    )
    torch.testing.assert_close(log_probs, expected.gather(1, token_ids[:, None]).squeeze(1))
    torch.testing.assert_close(entropy, -(expected.exp() * expected).sum(-1))


def test_two_tokens_of_three_by_hand() -> None:
    hidden = torch.tensor([[0.0], [1.0]])
    weight = torch.tensor([[0.0], [math.log(2.0)], [math.log(5.0)]])
    ids = torch.tensor([0, 2])
    expected = torch.tensor([math.log(1 / 3), math.log(5 / 8)])
    torch.testing.assert_close(chunked_log_probs(hidden, weight, ids, **TILES), expected)
    entropy = -sum(p * math.log(p) for p in (1 / 8, 2 / 8, 5 / 8))
    torch.testing.assert_close(
        chunked_entropy(hidden, weight, **TILES), torch.tensor([math.log(3.0), entropy])
    )


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_gradients_pass_gradcheck(temperature: float) -> None:
    hidden, weight, token_ids = problem(1, tokens=4, width=3, vocabulary=6)
    hidden.requires_grad_()
    weight.requires_grad_()
    banned = torch.tensor([2, 5])

    def both(h: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        return chunked_log_probs_and_entropy(
            h, w, token_ids, temperature=temperature, banned_ids=banned, **TILES
        )

    assert torch.autograd.gradcheck(both, (hidden, weight))
    assert torch.autograd.gradcheck(lambda h, w: both(h, w)[0], (hidden, weight))
    assert torch.autograd.gradcheck(lambda h, w: both(h, w)[1], (hidden, weight))


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 10_000), chunk_tokens=st.integers(1, 8), chunk_columns=st.integers(1, 12)
)
def test_gradients_equal_those_of_the_whole_softmax(
    seed: int, chunk_tokens: int, chunk_columns: int
) -> None:
    hidden, weight, token_ids = problem(seed)
    pull = torch.linspace(-1.0, 2.0, len(hidden), dtype=torch.float64)
    grads = []
    for chunked in (True, False):
        h, w = hidden.clone().requires_grad_(), weight.clone().requires_grad_()
        if chunked:
            log_probs, entropy = chunked_log_probs_and_entropy(
                h, w, token_ids, chunk_tokens=chunk_tokens, chunk_vocabulary=chunk_columns
            )
        else:
            full = whole(h, w, 1.0, [])
            log_probs = full.gather(1, token_ids[:, None]).squeeze(1)
            entropy = -(full.exp() * full).sum(-1)
        (pull @ log_probs + 0.3 * entropy.sum()).backward()
        grads.append((h.grad, w.grad))
    torch.testing.assert_close(grads[0], grads[1], rtol=1e-9, atol=1e-12)


def test_only_the_gradient_that_is_asked_for_is_made() -> None:
    hidden, weight, token_ids = problem(2)
    chunked_log_probs(hidden, weight.requires_grad_(), token_ids, **TILES).sum().backward()
    assert hidden.grad is None
    assert weight.grad is not None
    frozen = weight.detach()
    chunked_log_probs(hidden.requires_grad_(), frozen, token_ids, **TILES).sum().backward()
    assert frozen.grad is None
    assert hidden.grad is not None


def test_no_tokens_give_zero_gradients_not_missing_ones() -> None:
    hidden, weight, token_ids = problem(3, tokens=0)
    hidden.requires_grad_()
    weight.requires_grad_()
    log_probs, entropy = chunked_log_probs_and_entropy(hidden, weight, token_ids, **TILES)
    (log_probs.sum() + entropy.sum()).backward()
    assert log_probs.shape == (0,)
    torch.testing.assert_close(hidden.grad, torch.zeros_like(hidden))
    torch.testing.assert_close(weight.grad, torch.zeros_like(weight))


def test_half_precision_inputs_are_scored_in_float32() -> None:
    hidden, weight, token_ids = problem(4, tokens=6, width=32, vocabulary=50)
    h, w = hidden.to(torch.bfloat16), weight.to(torch.bfloat16)
    got = chunked_log_probs(h, w, token_ids, **TILES)
    assert got.dtype == torch.float32
    expected = whole(h.double(), w.double(), 1.0, []).gather(1, token_ids[:, None]).squeeze(1)
    torch.testing.assert_close(got.double(), expected, rtol=1e-5, atol=1e-5)


def test_model_precision_rounds_the_logits_and_nothing_after() -> None:
    hidden, weight, token_ids = problem(5, tokens=6, width=32, vocabulary=50)
    h, w = hidden.to(torch.bfloat16), weight.to(torch.bfloat16)
    got = chunked_log_probs(h, w, token_ids, precision=None, **TILES)
    official = torch.log_softmax((h @ w.T).float(), -1).gather(1, token_ids[:, None]).squeeze(1)
    # Logits of this size are spaced by up to 0.125; tiles may round a sum to the other side.
    torch.testing.assert_close(got, official, rtol=0.0, atol=0.13)
    assert got.dtype == torch.float32


@pytest.mark.parametrize("precision", [torch.float32, None])
def test_half_precision_gradients_have_the_dtype_of_their_tensor(
    precision: torch.dtype | None,
) -> None:
    hidden, weight, token_ids = problem(6, tokens=6, width=32, vocabulary=50)
    h, w = (x.to(torch.bfloat16).requires_grad_() for x in (hidden, weight))
    exact = [x.detach().double().requires_grad_() for x in (h, w)]
    chunked_log_probs(h, w, token_ids, precision=precision, **TILES).sum().backward()
    whole(exact[0], exact[1], 1.0, []).gather(1, token_ids[:, None]).sum().backward()
    for half, full in zip((h, w), exact, strict=True):
        assert half.grad.dtype == torch.bfloat16
        distance = (half.grad.double() - full.grad).norm() / full.grad.norm()
        assert distance < 0.02


def test_banned_ids_have_no_probability_and_the_others_share_it() -> None:
    hidden, weight, _ = problem(7, vocabulary=4)
    banned = torch.tensor([3, 3])
    kept = torch.stack(
        [
            chunked_log_probs(
                hidden, weight, torch.full((7,), i), banned_ids=banned, chunk_vocabulary=3
            )
            for i in range(4)
        ]
    ).exp()
    torch.testing.assert_close(kept[:3].sum(0), torch.ones(7, dtype=torch.float64))
    assert kept[3].max() < 1e-30


def test_an_id_outside_the_vocabulary_is_not_a_number() -> None:
    hidden, weight, _ = problem(8)
    ids = torch.tensor([0, 1, 11, 2, -1, 3, 4])
    got = chunked_log_probs(hidden, weight, ids, **TILES)
    assert got.isnan().tolist() == [False, False, True, False, True, False, False]


def test_large_logits_neither_overflow_nor_lose_the_token() -> None:
    hidden = torch.tensor([[1.0], [-1.0]])
    weight = torch.tensor([[3e4], [0.0], [-3e4]])
    got = chunked_log_probs(hidden, weight, torch.tensor([0, 2]), chunk_vocabulary=1)
    torch.testing.assert_close(got, torch.zeros(2))


@pytest.mark.parametrize(
    "options", [{"temperature": 0.0}, {"chunk_tokens": 0}, {"chunk_vocabulary": 0}]
)
def test_impossible_options_are_refused(options: dict[str, float]) -> None:
    hidden, weight, token_ids = problem(9)
    with pytest.raises(ValueError, match="must be"):
        chunked_log_probs(hidden, weight, token_ids, **options)
