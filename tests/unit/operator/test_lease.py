"""One holder at a time, by the own clock; a lost Lease is noticed."""

import threading
from datetime import UTC, datetime, timedelta

import pytest

from tests.sim.kube_server import SimulatedServer
from vppo_core.kube.errors import KubeUnavailableError
from vppo_core.kube.kinds import LEASES
from vppo_operator.lease import DURATION_SECONDS, RENEW_DEADLINE_SECONDS, Lease

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


class Bench:
    def __init__(self) -> None:
        self.seconds = 0.0
        self.server = SimulatedServer(now=self.now)
        self.first, self.second = self.lease("a"), self.lease("b")

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.seconds)

    def lease(self, identity: str) -> Lease:
        return Lease(
            self.server,
            namespace="default",
            name="vppo-operator",
            identity=identity,
            clock=self.now,
            monotonic=lambda: self.seconds,
        )

    @property
    def holder(self) -> str:
        lease = self.server.store.get(LEASES, "default", "vppo-operator")
        return str((lease or {})["spec"]["holderIdentity"])


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_the_first_one_has_it_as_long_as_it_renews(bench: Bench) -> None:
    assert bench.first.take()
    for _ in range(20):
        bench.seconds += 10
        assert not bench.second.take()
        assert bench.first.take()
    assert bench.holder == "a"


def test_a_silent_holder_loses_it_after_its_time(bench: Bench) -> None:
    assert bench.first.take()
    assert not bench.second.take()
    bench.seconds += DURATION_SECONDS - 1
    assert not bench.second.take()
    bench.seconds += 1
    assert bench.second.take()
    assert not bench.first.take()


def test_it_is_handed_over_at_once(bench: Bench) -> None:
    assert bench.first.take()
    bench.first.give_up()
    assert bench.second.take()
    bench.first.give_up()  # it is another's by now
    assert bench.holder == "b"


def test_a_race_has_one_winner(bench: Bench) -> None:
    bench.first.take()
    bench.second.take()
    bench.seconds += DURATION_SECONDS
    third = bench.lease("c")
    third.take()
    bench.seconds += DURATION_SECONDS
    taken = [bench.second.take(), third.take()]
    assert sum(taken) == 1


class Ticks(threading.Event):
    """An event that is waited for without waiting: every wait is two seconds of the bench."""

    def __init__(self, bench: Bench, limit: int) -> None:
        super().__init__()
        self._bench = bench
        self._left = limit

    def wait(self, timeout: float | None = None) -> bool:
        self._bench.seconds += timeout or 0.0
        self._left -= 1
        return self._left < 0


def test_a_server_that_is_away_for_ten_seconds_ends_the_holder(bench: Bench) -> None:
    bench.first.take()
    bench.server.is_unavailable = True
    lost: list[float] = []
    bench.first.keep(Ticks(bench, 100), lambda: lost.append(bench.seconds))
    assert lost
    assert RENEW_DEADLINE_SECONDS <= lost[0] < DURATION_SECONDS


def test_a_short_outage_is_lived_through(bench: Bench) -> None:
    bench.first.take()
    bench.server.fail_next(KubeUnavailableError("busy"))
    lost: list[float] = []
    bench.first.keep(Ticks(bench, 20), lambda: lost.append(bench.seconds))
    assert lost == []


def test_a_lease_that_another_took_ends_the_holder(bench: Bench) -> None:
    bench.first.take()
    bench.server.store.patch(LEASES, "default", "vppo-operator", {"spec": {"holderIdentity": "b"}})
    lost: list[float] = []
    bench.first.keep(Ticks(bench, 20), lambda: lost.append(bench.seconds))
    assert len(lost) == 1
