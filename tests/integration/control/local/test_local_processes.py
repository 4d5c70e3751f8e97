"""The launcher with real processes: locks, signals, groups, what a dead driver leaves behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from vppo_services.local.launcher import Launcher

UID = "5e1f"


@pytest.fixture
def launch(tmp_path: Path, fake_driver: Path, job_named: Any) -> Callable[..., Launcher]:
    """A launcher whose drivers are fakes, with one attempt started."""

    def start(steps: int = 1000, **environment: str) -> Launcher:
        launcher = Launcher(
            tmp_path / "jobs",
            command=(sys.executable, str(fake_driver)),
            environment={**os.environ, **environment},
        )
        job = job_named("demo", learner={"numSteps": steps})
        assert launcher.start(job, uid=UID, index=1, resume=False)
        return launcher

    return start


def ask(launcher: Launcher) -> None:
    now = datetime.now(UTC)
    launcher.request_stop(
        uid=UID, index=1, reason="Paused", requested=now, deadline=now + timedelta(seconds=60)
    )


def test_a_driver_lives_by_its_lock_from_the_first_moment(
    launch: Callable[..., Launcher], wait_for: Any
) -> None:
    launcher = launch(steps=3)
    assert launcher.look(UID, 1).is_live
    view = wait_for(lambda: (v := launcher.look(UID, 1)) and not v.is_live and v, "the driver ends")
    assert view.exit.outcome == "Succeeded"
    assert view.progress.step == 3


def test_a_stop_saves_and_ends_and_comes_once(
    launch: Callable[..., Launcher], wait_for: Any
) -> None:
    launcher = launch()
    wait_for(lambda: (p := launcher.look(UID, 1).progress) and p.step > 1, "it trains")
    for _ in range(3):
        ask(launcher)
    view = wait_for(lambda: (v := launcher.look(UID, 1)) and not v.is_live and v, "it ends")
    assert view.exit.outcome == "Stopped"
    assert view.exit.checkpoint_step == view.exit.last_step


def test_a_deaf_driver_and_all_that_it_started_are_ended_by_force(
    launch: Callable[..., Launcher], wait_for: Any, carriers: Any
) -> None:
    launcher = launch(FAKE_FAULT="orphan")
    wait_for(lambda: len(carriers(f"{UID}/1")) == 3, "its children run")
    launcher.kill(UID, 1)
    wait_for(lambda: not carriers(f"{UID}/1"), "all are gone")
    assert not launcher.look(UID, 1).is_live


def test_what_a_killed_driver_left_is_swept_before_the_next_attempt(
    launch: Callable[..., Launcher], wait_for: Any, carriers: Any, job_named: Any
) -> None:
    launcher = launch(FAKE_FAULT="orphan")
    wait_for(lambda: len(carriers(f"{UID}/1")) == 3, "its children run")
    os.kill(int(launcher.folder(UID).lock.read_text()), signal.SIGKILL)
    wait_for(lambda: not launcher.look(UID, 1).is_live, "the lock is free: children do not hold it")
    assert len(carriers(f"{UID}/1")) == 2
    assert launcher.start(job_named("demo"), uid=UID, index=2, resume=True)
    wait_for(lambda: not carriers(f"{UID}/1"), "they are gone")


def test_a_driver_without_a_report_leaves_its_code_and_last_words(
    launch: Callable[..., Launcher], wait_for: Any
) -> None:
    launcher = launch(FAKE_FAULT="mute")
    view = wait_for(lambda: (v := launcher.look(UID, 1)) and not v.is_live and v, "it dies")
    assert view.exit is None
    view = wait_for(lambda: (v := launcher.look(UID, 1)).exit_code and v, "its code is known")
    assert (view.exit_code, view.last_words) == (7, "out of luck")


def test_another_launcher_adopts_and_stops_what_it_did_not_start(
    launch: Callable[..., Launcher], wait_for: Any, tmp_path: Path, job_named: Any
) -> None:
    first = launch()
    wait_for(lambda: first.look(UID, 1).progress, "it reports")
    second = Launcher(tmp_path / "jobs", command=("/nonexistent",))
    assert second.look(UID, 1).is_live
    assert not second.start(job_named("demo"), uid=UID, index=1, resume=False)
    assert not second.start(job_named("demo"), uid=UID, index=2, resume=True)
    ask(second)
    wait_for(lambda: not second.look(UID, 1).is_live, "it ends")
    assert (tmp_path / "jobs" / UID / "starts.txt").read_text().count("\n") == 1


def test_a_process_id_that_was_given_to_another_program_is_left_alone(
    launch: Callable[..., Launcher], wait_for: Any
) -> None:
    launcher = launch(steps=1)
    wait_for(lambda: not launcher.look(UID, 1).is_live, "it ends")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        launcher.folder(UID).lock.write_text(str(other.pid))
        launcher.kill(UID, 1)
        ask(launcher)
        assert psutil.Process(other.pid).is_running()
        assert other.poll() is None
        other.communicate(b"\n")
    assert other.returncode == 0
