"""The server is killed before and after each thing that it does: the end is the same.

A server that is killed is an exception that nothing catches, then a new loop over the same folder;
the drivers do not notice, as real ones do not.
"""

from collections.abc import Callable
from typing import Any

import pytest

from vppo_core.spec.status import AttemptStatus

ROUNDS = 20
LAST_DEED = 10
"""Round in which a script does something for the last time."""

Script = Callable[[Any, int], None]


class KilledError(BaseException):
    """Not an `Exception`: nothing in the loop may catch it."""


class Killer:
    """Kills at the k-th effect, once, and watches that no job ever has two drivers."""

    def __init__(self, machine: Any, at: int) -> None:
        self._machine = machine
        self._at = at
        self.count = 0

    def __call__(self, effect: str) -> None:
        marks = [driver.run.path for driver in self._machine.processes.alive()]
        assert len(marks) == len(set(marks)), f"two drivers of a job after '{effect}'"
        self.count += 1
        if self.count == self._at:
            raise KilledError


def play(machine: Any, script: Script, *, kill_at: int = 0) -> int:
    """Rounds of a script; the number of effects there were."""
    killer = Killer(machine, kill_at)
    machine.processes.on_effect = machine.db.on_effect = killer
    for number in range(ROUNDS):
        if machine.is_at_rest() and number > LAST_DEED:
            break
        script(machine, number)
        try:
            machine.round()
        except KilledError:
            machine.restart()
            machine.db.on_effect = killer
            machine.round(train=False)
    return killer.count


def nothing(_: Any, __: int) -> None:
    """The job trains to its end."""


def pause_and_resume(machine: Any, number: int) -> None:
    if number in (2, 8):
        machine.patch("job", desired_state="Paused" if number == 2 else "Running")


def cancel(machine: Any, number: int) -> None:
    if number == 2:
        machine.patch("job", desired_state="Cancelled")


def delete(machine: Any, number: int) -> None:
    if number == 2:
        machine.store.delete("job", actor="ann")


def lose_the_driver(machine: Any, number: int) -> None:
    if number == 3:
        for driver in machine.processes.alive():
            driver.die()


def fail_once(machine: Any, number: int) -> None:
    if number == 3:
        for driver in machine.processes.alive():
            driver.end(machine.clock(), "Failed", failureClass="RoleDied")


def expire(machine: Any, number: int) -> None:
    if number == 10:
        machine.clock.advance(1000)


SCRIPTS = [
    pytest.param(nothing, 2, "Succeeded", id="success"),
    pytest.param(pause_and_resume, 4, "Succeeded", id="pause-and-resume"),
    pytest.param(cancel, 4, "Cancelled", id="cancel"),
    pytest.param(delete, 4, "Cancelled", id="delete"),
    pytest.param(lose_the_driver, 4, "Succeeded", id="lost-driver"),
    pytest.param(fail_once, 4, "Succeeded", id="failure-and-retry"),
    pytest.param(expire, 2, "Succeeded", id="expiry"),
]


@pytest.mark.parametrize(("script", "steps", "phase"), SCRIPTS)
def test_a_kill_at_any_point_changes_nothing_in_the_end(
    new_machine: Any, job_named: Any, script: Script, steps: int, phase: str
) -> None:
    def fresh() -> Any:
        machine = new_machine(total=steps)
        machine.submit(job_named("job", ttlSecondsAfterFinished=900))
        return machine

    calm = fresh()
    effects = play(calm, script)
    expected = outcome(calm)
    assert expected["phase"] == phase
    assert effects > 5
    for kill_at in range(1, effects + 1):
        machine = fresh()
        play(machine, script, kill_at=kill_at)
        assert outcome(machine) == expected, f"killed at effect {kill_at} of {effects}"
        attempts = machine.attempts("job")
        assert [one.index for one in attempts] == list(range(1, len(attempts) + 1))
        assert all(one.ended is not None and one.outcome is not None for one in attempts)
        started = [driver.index for driver in machine.processes.drivers]
        assert sorted(set(started)) == started, "an attempt is started at most once"
        assert set(started) <= {one.index for one in attempts}, "no attempt is forgotten"
        assert not machine.processes.alive()


def outcome(machine: Any) -> dict[str, Any]:
    """What must not depend on when the server was killed."""
    record = machine.store.get("job")
    attempts: list[AttemptStatus] = machine.attempts("job")
    # Killed between evidence and process, an attempt is counted as lost although it never lived.
    lived = [one for one in attempts if one.last_step > one.first_step]
    return {
        "phase": record.phase,
        "is_released": record.released is not None,
        "is_expired": record.expired is not None,
        "charged": sum(one.charged for one in attempts),
        "outcomes": [one.outcome for one in lived],
        "is_saved": all(one.checkpoint_step == one.last_step for one in lived),
        "files": machine.launcher.folder(record.uid).path.exists(),
    }


def test_two_jobs_of_a_pool_survive_a_kill_at_any_point(new_machine: Any, job_named: Any) -> None:
    def fresh() -> Any:
        machine = new_machine()
        machine.submit(job_named("one"))
        machine.submit(job_named("two"))
        return machine

    effects = play(fresh(), nothing)
    for kill_at in range(1, effects + 1, 3):
        machine = fresh()
        play(machine, nothing, kill_at=kill_at)
        for name in ("one", "two"):
            assert machine.store.get(name).phase == "Succeeded", f"killed at effect {kill_at}"
            assert machine.attempts(name)[-1].last_step == 3
