import math

import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from vppo_services.rollout.sampling import SamplingSettings
from vppo_services.rollout.token_draw import draw, next_token_log_probs

# Apart from each other also in float32: which of two equal tokens is cut is nobody's promise.
NUMBERS = st.lists(
    st.integers(-80, 80).map(lambda tenths: tenths / 10), min_size=2, max_size=12, unique=True
)


def settings(**changes: float) -> SamplingSettings:
    return SamplingSettings(**{"group_size": 1, "max_tokens": 1, "temperature": 1.0, **changes})


def naive(logits: list[float], temperature: float, top_k: int, top_p: float) -> list[float]:
    """Log-probs by sorting tokens one by one, most probable first."""
    scaled = [value / temperature for value in logits]
    order = sorted(range(len(scaled)), key=lambda i: -scaled[i])
    kept = order[: top_k or len(order)]
    total = sum(math.exp(scaled[i]) for i in kept)
    nucleus, mass = [], 0.0
    for i in kept:
        nucleus.append(i)
        mass += math.exp(scaled[i]) / total
        if mass >= top_p:
            break
    total = sum(math.exp(scaled[i]) for i in nucleus)
    chosen = set(nucleus)
    return [scaled[i] - math.log(total) if i in chosen else -math.inf for i in range(len(scaled))]


@hypothesis_settings(deadline=None)  # the first sort of a process loads a library
@given(NUMBERS, st.sampled_from([0.5, 1.0, 2.0]), st.integers(0, 12), st.sampled_from([0.3, 0.83]))
def test_cuts_agree_with_sorting_by_hand(
    logits: list[float], temperature: float, top_k: int, top_p: float
) -> None:
    exact = torch.tensor([logits], dtype=torch.float32)
    asked = settings(temperature=temperature, top_k=top_k, top_p=top_p)
    got = next_token_log_probs(exact, asked, ())[0]
    expected = torch.tensor(naive(exact[0].tolist(), temperature, top_k, top_p))
    # A cumulated mass within rounding of the bound may fall on either side.
    if torch.equal(got.isinf(), expected.isinf()):
        torch.testing.assert_close(got, expected, atol=1e-4, rtol=1e-4)
    else:
        assert (got.isinf() != expected.isinf()).sum() == 1


def test_a_banned_token_loses_a_hundred_logits_before_the_temperature() -> None:
    log_probs = next_token_log_probs(torch.zeros(1, 3), settings(temperature=2.0), (1,))[0]
    assert log_probs[1] - log_probs[0] == pytest.approx(-50.0)
    assert log_probs[0] == pytest.approx(-math.log(2.0))


def test_greedy_takes_the_largest_and_reports_the_model_s_own_log_probs() -> None:
    logits = torch.tensor([[0.0, 3.0, 1.0]])
    log_probs = next_token_log_probs(logits, settings(temperature=0.0, top_p=0.1), ())
    torch.testing.assert_close(log_probs, logits.log_softmax(-1))
    assert draw(log_probs, [torch.Generator()], greedy=True).tolist() == [1]


def test_the_logits_given_are_left_as_they_are() -> None:
    logits = torch.zeros(1, 3)
    next_token_log_probs(logits, settings(temperature=0.5, top_k=1), (0,))
    assert not logits.any()


def test_tokens_are_drawn_as_often_as_they_are_probable() -> None:
    probabilities = torch.tensor([0.5, 0.3, 0.2, 0.0])
    log_probs = probabilities.log().expand(1, -1)
    generator = torch.Generator().manual_seed(0)
    drawn = torch.cat([draw(log_probs, [generator], greedy=False) for _ in range(4000)])
    shares = torch.bincount(drawn, minlength=4) / 4000
    torch.testing.assert_close(shares, probabilities, atol=0.03, rtol=0.0)
    assert shares[3] == 0


def test_a_row_draws_the_same_whoever_stands_beside_it() -> None:
    log_probs = torch.randn(3, 50, generator=torch.Generator().manual_seed(1)).log_softmax(-1)

    def generators() -> list[torch.Generator]:
        return [torch.Generator().manual_seed(seed) for seed in (10, 11, 12)]

    together = draw(log_probs, generators(), greedy=False)
    alone = [draw(log_probs[i : i + 1], generators()[i : i + 1], greedy=False) for i in range(3)]
    assert together.tolist() == torch.cat(alone).tolist()
