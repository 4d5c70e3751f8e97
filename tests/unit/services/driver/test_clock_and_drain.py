"""Stage times add up, also over a resume; a signal asks, a second one insists."""

import os
import signal

import pytest

from vppo_services.driver.clock import StageClock
from vppo_services.driver.drain import Drain


class FakeTime:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_stages_add_up_within_a_step_and_over_the_run() -> None:
    time = FakeTime()
    clock = StageClock(time)
    for _ in range(2):
        clock.begin_step()
        with clock.stage("update"):
            time.now += 2.0
        with clock.stage("update"):
            time.now += 1.0
    assert clock.step == {"update": 3.0}
    assert clock.total == {"update": 6.0}
    assert clock.step_seconds == 3.0


def test_a_resumed_run_goes_on_from_its_old_times() -> None:
    time = FakeTime()
    clock = StageClock(time)
    clock.resume(50.0, {"update": 20.0})
    with clock.stage("update"):
        time.now += 5.0
    assert clock.seconds == 55.0
    assert clock.total == {"update": 25.0}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_asks_for_a_stop_and_nothing_else(number: signal.Signals) -> None:
    before = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}
    drain = Drain()
    try:
        drain.install()
        os.kill(os.getpid(), number)
        assert drain.requested
    finally:
        for n, handler in before.items():
            signal.signal(n, handler)
