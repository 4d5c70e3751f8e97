"""How much one caller may ask for."""

from typing import Any

import pytest

from vppo_services.api.auth import Caller
from vppo_services.api.errors import ApiError
from vppo_services.api.limits import MAX_CALLERS, RateLimit, StreamSlots

ADA, BOB = Caller("ada"), Caller("bob")


class FakeClock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def taken(limit: RateLimit, caller: str, tries: int) -> int:
    count = 0
    for _ in range(tries):
        try:
            limit.take(caller)
        except ApiError:
            continue
        count += 1
    return count


def test_a_burst_is_let_through_and_then_the_rate_rules() -> None:
    clock = FakeClock()
    limit = RateLimit(2.0, 5, clock=clock)
    assert taken(limit, "ada", 10) == 5
    clock.now += 1.0
    assert taken(limit, "ada", 10) == 2
    clock.now += 3600.0
    assert taken(limit, "ada", 10) == 5


def test_callers_do_not_take_from_each_other() -> None:
    limit = RateLimit(1.0, 3, clock=FakeClock())
    assert taken(limit, "ada", 5) == 3
    assert taken(limit, "bob", 5) == 3


def test_the_reply_says_how_long_to_wait() -> None:
    limit = RateLimit(0.1, 1, clock=FakeClock())
    limit.take("ada")
    with pytest.raises(ApiError) as caught:
        limit.take("ada")
    assert (caught.value.status, caught.value.code) == (429, "rate_limited")
    assert caught.value.headers["Retry-After"] == "10"


def test_callers_are_forgotten_when_there_are_too_many() -> None:
    limit = RateLimit(1.0, 1, clock=FakeClock())
    limit.take("first")
    for number in range(MAX_CALLERS):
        limit.take(str(number))
    limit.take("first")


def test_streams_are_counted_by_caller_and_given_back() -> None:
    slots = StreamSlots(2)
    with slots.hold(ADA), slots.hold(ADA):
        with pytest.raises(ApiError, match="at most 2 open streams") as caught, slots.hold(ADA):
            pytest.fail("a third stream was let in")
        assert (caught.value.status, caught.value.code) == (429, "too_many_streams")
        with slots.hold(BOB):
            assert (slots.open_of(ADA), slots.open_of(BOB)) == (2, 1)
    assert (slots.open_of(ADA), slots.open_of(BOB)) == (0, 0)


def test_a_stream_that_fails_gives_its_place_back() -> None:
    slots = StreamSlots(1)
    with pytest.raises(RuntimeError), slots.hold(ADA):
        raise RuntimeError
    assert slots.open_of(ADA) == 0


def test_a_caller_above_the_rate_is_told_so(client_of: Any) -> None:
    client = client_of(burst=2, rate=0.5)
    replies = [client.get("/jobs") for _ in range(3)]
    assert [reply.status_code for reply in replies] == [200, 200, 429]
    assert replies[2].json()["code"] == "rate_limited"
    assert int(replies[2].headers["retry-after"]) >= 1
