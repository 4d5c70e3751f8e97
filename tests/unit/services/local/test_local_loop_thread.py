"""The loop in its thread: woken at once, ended by nothing but a request, one for a state folder."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vppo_services.local.leadership import Leadership
from vppo_services.local.loop import Loop
from vppo_services.local.store import SqlJobStore


def wait_for(is_true: Callable[[], Any]) -> None:
    until = time.monotonic() + 20.0
    while not is_true():
        assert time.monotonic() < until, "not in time"
        time.sleep(0.01)


@contextmanager
def running(loop: Loop) -> Iterator[threading.Thread]:
    stop = threading.Event()
    thread = threading.Thread(target=loop.run, args=(stop,))
    thread.start()
    try:
        yield thread
    finally:
        stop.set()
        loop.wake()
        thread.join(20)
        assert not thread.is_alive()


def test_a_change_through_the_store_wakes_it(machine: Any, job_named: Any) -> None:
    woken = []
    store = SqlJobStore(
        machine.inner,
        jobs_folder=machine.state / "jobs",
        platform=machine.platform,
        clock=machine.clock,
        wake=lambda: woken.append(1),
    )
    store.create(job_named("demo"), owner="ann")
    machine.loop.step()
    store.delete("demo", actor="ann")
    assert len(woken) == 2
    with running(machine.loop):
        wait_for(lambda: machine.processes.drivers[0].signals == 1)


def test_it_outlives_a_dead_database(machine: Any, job_named: Any) -> None:
    machine.db.is_away = True
    with running(machine.loop) as thread:
        wait_for(lambda: machine.loop.failures > 0)
        assert thread.is_alive()
        machine.db.is_away = False
        machine.submit(job_named("demo"))
        machine.loop.wake()
        wait_for(lambda: machine.processes.drivers)


def test_a_second_loop_of_a_state_folder_waits_for_the_first_to_end(
    machine: Any, job_named: Any
) -> None:
    first = machine.loop
    machine.restart()
    second = machine.loop
    with running(second):
        wait_for(lambda: second.is_leading)
        with running(first):
            machine.submit(job_named("demo"))
            wait_for(lambda: machine.processes.drivers)
            assert not first.is_leading
    assert not second.is_leading
    with running(first):
        wait_for(lambda: first.is_leading)
    assert len(machine.processes.drivers) == 1


def test_the_right_to_lead_is_taken_once(tmp_path: Path) -> None:
    one, other = Leadership(tmp_path), Leadership(tmp_path)
    assert one.take()
    assert one.take()
    assert not other.take()
    one.give_up()
    one.give_up()
    assert other.take()
    other.give_up()
