"""Stage times add up, also over a resume; a signal asks, a second one insists."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress

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


@pytest.fixture
def drain() -> Iterator[Drain]:
    before = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}
    drain = Drain()
    drain.install()
    yield drain
    for n, handler in before.items():
        signal.signal(n, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_asks_for_a_stop_and_nothing_else(drain: Drain, number: signal.Signals) -> None:
    drain.check()
    os.kill(os.getpid(), number)
    assert drain.requested
    with pytest.raises(KeyboardInterrupt):
        drain.check()


def test_asking_twice_by_sigterm_changes_nothing(drain: Drain) -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGTERM)
    assert drain.requested


def test_a_second_ctrl_c_ends_the_process() -> None:
    program = (
        "import os, signal\n"
        "from vppo_services.driver.drain import Drain\n"
        "Drain().install()\n"
        "for _ in range(2): os.kill(os.getpid(), signal.SIGINT)\n"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -signal.SIGINT


def test_a_block_without_state_to_lose_ends_at_once(drain: Drain) -> None:
    reached = []

    def block() -> None:
        with drain.interrupting():
            reached.append("begin")
            os.kill(os.getpid(), signal.SIGTERM)
            reached.append("end")

    with pytest.raises(KeyboardInterrupt):
        block()
    assert reached == ["begin"]


def test_such_a_block_does_not_begin_after_a_request(drain: Drain) -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), drain.interrupting():
        pytest.fail("the block began")


def test_an_interruption_that_a_library_swallowed_comes_at_the_end_of_the_block(
    drain: Drain,
) -> None:
    reached = []

    def block() -> None:
        with drain.interrupting():
            with suppress(KeyboardInterrupt):
                os.kill(os.getpid(), signal.SIGTERM)
            reached.append("end")

    with pytest.raises(KeyboardInterrupt):
        block()
    assert reached == ["end"]


def test_after_such_a_block_a_signal_only_asks(drain: Drain) -> None:
    with drain.interrupting():
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    assert drain.requested
