"""GPU-seconds: what was held, what of it counts, what was lost, and in which hours."""

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vppo_core.lifecycle.ledger import buckets, never_less, usage_of
from vppo_core.spec.status import AttemptStatus, Outcome, UsageStatus


def figures(usage: UsageStatus) -> tuple[float, float, float]:
    return (
        usage.gpu_seconds_allocated,
        usage.gpu_seconds_productive,
        usage.gpu_seconds_lost,
    )


CASES: list[Any] = [
    pytest.param({}, (500, 0, 0), id="live-without-a-step"),
    pytest.param({"ended": 100}, (100, 0, 0), id="ended-without-a-step"),
    pytest.param({"gpus": 8}, (4000, 0, 0), id="gpus-multiply"),
    pytest.param(
        # 5 steps, the first of them ended at 100: four take 400, five take 500 - here the whole
        {"started": 100, "ended": 500, "last_step": 5, "checkpoint_step": 5, "outcome": "Stopped"},
        (500, 500, 0),
        id="all-saved",
    ),
    pytest.param(
        {"started": 180, "ended": 500, "last_step": 5, "checkpoint_step": 4, "outcome": "Failed"},
        (500, 320, 80),
        id="one-of-five-steps-lost",
    ),
    pytest.param(
        {"started": 180, "ended": 500, "last_step": 5, "outcome": "Lost"},
        (500, 0, 400),
        id="nothing-saved",
    ),
    pytest.param(
        {"started": 180, "ended": 500, "last_step": 5, "outcome": "Succeeded"},
        (500, 400, 0),
        id="success-counts-whole",
    ),
    pytest.param(
        {"started": 180, "last_step": 5, "checkpoint_step": 4},
        (500, 320, 0),
        id="live-and-undecided-behind-its-checkpoint",
    ),
    pytest.param(
        {
            "started": 180,
            "ended": 500,
            "first_step": 10,
            "last_step": 15,
            "checkpoint_step": 10,
            "outcome": "Failed",
        },
        (500, 0, 400),
        id="a-resumed-one-that-saved-nothing-new",
    ),
    pytest.param(
        {"started": 300, "ended": 500, "last_step": 1, "outcome": "Failed"},
        (500, 0, 500),
        id="a-single-step",
    ),
    pytest.param({"started": 300, "last_step": 1, "checkpoint_step": 1}, (500, 0, 0), id="young"),
    pytest.param({"ended": -50}, (0, 0, 0), id="a-clock-that-went-back"),
    pytest.param({"waiting": True, "gpus": 8}, (0, 0, 0), id="waiting-holds-nothing"),
    pytest.param({"waiting": True, "ended": 400}, (0, 0, 0), id="waited-in-vain"),
    pytest.param({"admitted": 300}, (200, 0, 0), id="held-since-its-admission"),
]


@pytest.mark.parametrize(("facts", "expected"), CASES)
def test_an_attempt_is_split_by_its_steps(
    make: Any, facts: dict[str, Any], expected: tuple[float, float, float]
) -> None:
    times = {
        name: make.at(value) if name in ("started", "ended", "admitted") else value
        for name, value in facts.items()
    }
    attempt = AttemptStatus.model_validate({"index": 1, "created": make.at(0), **times})
    assert figures(usage_of([attempt], make.at(500))) == pytest.approx(expected)
    assert _sums(attempt, make.at(500)) == pytest.approx(expected)


def _sums(attempt: AttemptStatus, now: datetime) -> tuple[float, float, float]:
    parts = buckets(attempt, now)
    return (
        sum(part.allocated for part in parts),
        sum(part.productive for part in parts),
        sum(part.lost for part in parts),
    )


def test_attempts_add_up_and_only_open_ones_hold_gpus(make: Any) -> None:
    ended = AttemptStatus(index=1, created=make.at(0), ended=make.at(10), gpus=2)
    live = AttemptStatus(index=2, created=make.at(20), gpus=3)
    usage = usage_of([ended, live], make.at(30))
    assert (usage.gpus, usage.gpu_seconds_allocated) == (3, 50)


def test_hours_split_where_the_clock_strikes(make: Any) -> None:
    attempt = AttemptStatus(
        index=1,
        created=make.at(3000),
        started=make.at(3300),
        ended=make.at(8000),
        outcome=Outcome.FAILED,
        last_step=48,
        checkpoint_step=36,
        gpus=2,
    )
    parts = buckets(attempt, make.at(99_999))
    assert [part.hour for part in parts] == [make.at(0), make.at(3600), make.at(7200)]
    assert [part.allocated for part in parts] == [1200, 7200, 1600]
    # 48 steps of 100 s from 3200 on: 36 of them up to 6800 count, the rest until 8000 is lost
    assert [part.productive for part in parts] == pytest.approx([800, 6400, 0])
    assert [part.lost for part in parts] == pytest.approx([0, 800, 1600])


def test_an_attempt_without_time_has_no_hours(make: Any) -> None:
    assert buckets(AttemptStatus(index=1, created=make.at(5)), make.at(5)) == []


SECONDS = st.integers(-500, 20_000)
STEPS = st.integers(0, 30)


@st.composite
def any_attempt(draw: st.DrawFn, make: Any) -> AttemptStatus:
    maybe = st.none() | SECONDS
    started, ended = draw(maybe), draw(maybe)
    return AttemptStatus(
        index=1,
        created=make.at(draw(SECONDS)),
        started=None if started is None else make.at(started),
        ended=None if ended is None else make.at(ended),
        outcome=draw(st.sampled_from([None, *Outcome])),
        first_step=draw(STEPS),
        last_step=draw(STEPS),
        checkpoint_step=draw(STEPS),
        gpus=draw(st.integers(0, 4)),
    )


@given(st.data(), SECONDS)
def test_productive_and_lost_are_parts_of_allocated(make: Any, data: Any, now: int) -> None:
    attempt = data.draw(any_attempt(make))
    allocated, productive, lost = figures(usage_of([attempt], make.at(now)))
    assert productive >= 0
    assert lost >= 0
    assert productive + lost <= allocated + 1e-6
    assert _sums(attempt, make.at(now)) == pytest.approx((allocated, productive, lost), abs=1e-4)
    hours = [part.hour for part in buckets(attempt, make.at(now))]
    assert hours == sorted(set(hours))


@given(st.data())
def test_figures_never_fall(make: Any, data: Any) -> None:
    told = UsageStatus()
    for now in data.draw(st.lists(SECONDS, max_size=8)):
        found = usage_of([data.draw(any_attempt(make))], make.at(now))
        following = never_less(found, told)
        pairs = zip(figures(told), figures(following), strict=True)
        assert all(before <= after for before, after in pairs)
        told = following
