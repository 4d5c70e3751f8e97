"""The launcher: each call may be repeated, and none starts or signals a thing twice."""

import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from vppo_core.runs.folder import RunFolder
from vppo_core.spec.job import VPPOJob
from vppo_services.local import run_lock
from vppo_services.local.launcher import Launcher

UID = "3f0c"


@pytest.fixture
def job(job_named: Any) -> VPPOJob:
    made: VPPOJob = job_named("demo")
    return made


@pytest.fixture
def launcher(tmp_path: Path, processes: Any) -> Launcher:
    return Launcher(
        tmp_path / "jobs",
        command=("driver",),
        environment={"HOME": "/home/x"},
        processes=processes,
    )


def ask(launcher: Launcher, clock: Any, index: int = 1) -> None:
    launcher.request_stop(
        uid=UID,
        index=index,
        reason="Paused",
        requested=clock(),
        deadline=clock() + timedelta(seconds=300),
    )


def test_a_start_leaves_evidence_and_a_locked_folder(
    launcher: Launcher, job: VPPOJob, processes: Any
) -> None:
    assert not launcher.look(UID, 1).is_launched
    assert launcher.start(job, uid=UID, index=1, resume=False, devices="2,3")
    view = launcher.look(UID, 1)
    assert (view.is_launched, view.is_live) == (True, True)
    [driver] = processes.drivers
    folder = launcher.folder(UID)
    assert driver.command == (
        *("driver", "--job", str(folder.job), "--output", str(folder.path)),
        *("--attempt", "1", "--quiet"),
    )
    assert driver.environment["CUDA_VISIBLE_DEVICES"] == "2,3"
    assert driver.environment["HOME"] == "/home/x"
    assert json.loads(folder.job.read_text())["metadata"]["name"] == "demo"
    assert json.loads(folder.environment(1).read_text())["packages"]["numpy"]


def test_a_second_start_of_an_attempt_does_nothing(
    launcher: Launcher, job: VPPOJob, processes: Any
) -> None:
    assert launcher.start(job, uid=UID, index=1, resume=False)
    assert not launcher.start(job, uid=UID, index=1, resume=False)
    processes.drivers[0].die()
    assert not launcher.start(job, uid=UID, index=1, resume=False)
    assert len(processes.drivers) == 1


def test_no_attempt_starts_while_another_one_lives(
    launcher: Launcher, job: VPPOJob, processes: Any
) -> None:
    launcher.start(job, uid=UID, index=1, resume=False)
    assert not launcher.start(job, uid=UID, index=2, resume=True)
    processes.drivers[0].die()
    assert launcher.start(job, uid=UID, index=2, resume=True)
    assert "--resume" in processes.drivers[1].command
    assert f"{UID}/1" in processes.swept, "what attempt 1 left behind is ended first"


def test_only_the_newest_attempt_is_taken_to_live(
    launcher: Launcher, job: VPPOJob, processes: Any
) -> None:
    launcher.start(job, uid=UID, index=1, resume=False)
    processes.drivers[0].die()
    launcher.start(job, uid=UID, index=2, resume=True)
    assert not launcher.look(UID, 1).is_live
    assert launcher.look(UID, 2).is_live
    launcher.kill(UID, 1)
    assert launcher.look(UID, 2).is_live


def test_a_process_that_cannot_be_started_leaves_no_evidence(
    launcher: Launcher, job: VPPOJob, processes: Any
) -> None:
    def refuse(*_: Any, **__: Any) -> int:
        raise OSError("no more processes")

    spawn, processes.spawn = processes.spawn, refuse
    with pytest.raises(OSError, match="no more processes"):
        launcher.start(job, uid=UID, index=1, resume=False)
    assert not launcher.look(UID, 1).is_launched
    processes.spawn = spawn
    assert launcher.start(job, uid=UID, index=1, resume=False)


def test_a_stop_is_asked_for_once(
    launcher: Launcher, job: VPPOJob, processes: Any, clock: Any
) -> None:
    launcher.start(job, uid=UID, index=1, resume=False)
    ask(launcher, clock)
    ask(launcher, clock)
    assert processes.drivers[0].signals == 1
    stop = launcher.look(UID, 1).stop
    assert stop is not None
    assert (stop.reason, stop.is_signalled) == ("Paused", True)


def test_a_driver_that_has_not_said_who_it_is_is_asked_later(
    launcher: Launcher, job: VPPOJob, processes: Any, clock: Any
) -> None:
    launcher.start(job, uid=UID, index=1, resume=False)
    lock = launcher.folder(UID).lock
    lock.write_text("999")  # an earlier attempt's
    ask(launcher, clock)
    assert launcher.look(UID, 1).stop is None
    lock.write_text(str(processes.drivers[0].pid))
    ask(launcher, clock)
    assert processes.drivers[0].signals == 1


def test_a_request_that_was_cut_short_is_completed(
    launcher: Launcher, job: VPPOJob, processes: Any, clock: Any
) -> None:
    launcher.start(job, uid=UID, index=1, resume=False)
    for effect, signals in (("terminate", 0), ("terminated", 1)):
        processes.on_effect = killing(effect)
        with pytest.raises(KeyboardInterrupt):
            ask(launcher, clock)
        stop = launcher.look(UID, 1).stop
        assert stop is not None
        assert not stop.is_signalled
        assert processes.drivers[0].signals == signals
    processes.on_effect = killing("nothing")
    clock.advance(100)
    ask(launcher, clock)
    ask(launcher, clock)
    stop = launcher.look(UID, 1).stop
    assert stop is not None
    assert stop.is_signalled
    assert stop.requested == clock() - timedelta(seconds=100), "its grace does not begin anew"
    assert processes.drivers[0].signals == 2


def killing(at: str) -> Any:
    def on_effect(effect: str) -> None:
        if effect == at:
            raise KeyboardInterrupt

    return on_effect


def test_a_dead_driver_without_a_report_gives_its_code_and_last_words(
    launcher: Launcher, job: VPPOJob, processes: Any
) -> None:
    launcher.start(job, uid=UID, index=1, resume=False)
    launcher.folder(UID).output(1).write_text("Traceback\nModuleNotFoundError: no module\n\n")
    processes.codes[f"{UID}/1"] = 1
    assert launcher.look(UID, 1).exit_code is None, "it still lives"
    processes.drivers[0].die()
    view = launcher.look(UID, 1)
    assert (view.exit_code, view.last_words) == (1, "ModuleNotFoundError: no module")
    assert view.last_sign is not None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"attempt": "x"}', "\0\xff"])
def test_damaged_files_read_as_absent(launcher: Launcher, job: VPPOJob, text: str) -> None:
    launcher.start(job, uid=UID, index=1, resume=False)
    run = launcher.folder(UID)
    for path in (run.progress(1), run.exit(1), run.stop(1)):
        path.write_text(text, encoding="latin-1")
    run.lock.write_text("not a number")
    view = launcher.look(UID, 1)
    assert (view.progress, view.exit, view.stop) == (None, None, None)
    launcher.kill(UID, 1)
    assert not launcher.look(UID, 1).is_live


def test_two_who_ask_for_the_lock_do_not_see_each_other(tmp_path: Path) -> None:
    run = RunFolder.of(tmp_path, UID)
    run.path.mkdir()
    assert not run_lock.is_held(run.lock), "there is none yet"
    lock = run_lock.take(run.lock)
    assert lock is not None
    assert run_lock.is_held(run.lock)
    assert run_lock.take(run.lock) is None
    os.close(lock)
    assert not run_lock.is_held(run.lock)
