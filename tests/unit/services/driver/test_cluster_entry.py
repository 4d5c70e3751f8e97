"""A driver without arguments is the attempt of its pod, and tells files and operator so."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.sim.receiver_server import ReceiverServer
from vppo_core.runs.folder import RunFolder
from vppo_core.runs.protocol import AttemptFile

DRIVER = [sys.executable, "-m", "vppo_services.driver"]
WITHOUT_HEAVY = """
import sys
import vppo_services.driver.cluster, vppo_services.driver.prestop
for name in ("torch", "ray", "transformers", "mlflow", "numpy", "sqlalchemy", "aiohttp"):
    assert name not in sys.modules, name
"""


class Pod:
    """What is mounted into a pod, and its volume."""

    def __init__(self, tmp_path: Path, server: ReceiverServer) -> None:
        self.run = RunFolder(tmp_path / "volume" / "uid-1")
        self.there = RunFolder.of(server.folder, "uid-1")
        self.mounted = tmp_path / "vppo"
        self.mounted.mkdir()
        (tmp_path / "token").write_text("good")
        self.attempt = AttemptFile(
            job="colours",
            namespace="team",
            uid="uid-1",
            attempt=2,
            output=str(self.run.path),
            receiver=server.url,
            token_file=str(tmp_path / "token"),
        )
        self.write()
        (self.mounted / "job.json").write_text("{")  # such a job ends before anything is loaded

    def write(self, **changes: Any) -> None:
        file = self.attempt.model_copy(update=changes)
        (self.mounted / "attempt.json").write_text(file.model_dump_json(by_alias=True))

    def start(self) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            DRIVER,
            env={**os.environ, "VPPO_ATTEMPT_FILE": str(self.mounted / "attempt.json")},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ReceiverServer]:
    server = ReceiverServer(tmp_path / "jobs")
    server.allow("good", namespace="team", job="colours")
    server.known.add(("team", "colours", "uid-1", 2))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def pod(tmp_path: Path, server: ReceiverServer) -> Pod:
    return Pod(tmp_path, server)


def test_an_attempt_that_ends_at_once_has_told_the_operator_all(pod: Pod) -> None:
    done = pod.start()
    assert done.returncode == 2, done.stderr
    assert done.stderr == ""
    first, last = done.stdout.splitlines()
    assert first == f"vppo: attempt 2 of job colours writes to {pod.run.output(2)}"
    assert last.startswith("vppo: attempt 2: Failed ")
    for run in (pod.run, pod.there):
        ending = json.loads(run.exit(2).read_text())
        assert (ending["outcome"], ending["failureClass"]) == ("Failed", "InvalidSpec")
        assert "InvalidSpec" in run.output(2).read_text()
        assert json.loads(run.log.read_text().splitlines()[-1])["attempt"] == 2
        assert json.loads(run.progress(2).read_text())["incarnation"] == ending["incarnation"]
        assert json.loads(run.environment(2).read_text())["vppoVersion"]
        assert run.launched(2).exists()
        assert run.job.read_text() == "{"
    assert pod.there.output(2).read_text() == pod.run.output(2).read_text()


def test_an_entrypoint_that_runs_again_after_the_end_ends_the_same_way(
    pod: Pod, server: ReceiverServer
) -> None:
    server.stop()
    pod.write(receiver="")
    assert pod.start().returncode == 2
    ending = pod.run.exit(2).read_bytes()
    (pod.mounted / "job.json").write_text("not even looked at")
    server.start()
    pod.write(receiver=server.url)
    done = pod.start()
    assert done.returncode == 2
    assert done.stdout.splitlines()[-1] == "vppo: attempt 2 had ended before, with exit code 2"
    assert pod.run.exit(2).read_bytes() == ending
    assert pod.there.exit(2).read_bytes() == ending, "the operator hears of it at last"


def test_a_volume_that_died_with_its_pod_gets_its_history_back(pod: Pod) -> None:
    pod.there.path.mkdir(parents=True)
    pod.there.metrics.write_text('{"step": 1}\n')
    pod.there.log.write_text('{"attempt": 1}\n')
    assert pod.start().returncode == 2
    assert pod.run.metrics.read_text() == '{"step": 1}\n'
    assert pod.there.metrics.read_text() == '{"step": 1}\n'
    lines = [json.loads(line)["attempt"] for line in pod.there.log.read_text().splitlines()]
    assert lines[0] == 1
    assert set(lines[1:]) == {2}


@pytest.mark.parametrize("text", ["{", '{"job": "x"}', None])
def test_an_attempt_file_that_cannot_be_read_is_named(pod: Pod, text: str | None) -> None:
    path = pod.mounted / "attempt.json"
    path.unlink() if text is None else path.write_text(text)
    done = pod.start()
    assert done.returncode == 2
    assert f"'{path}' must be the attempt file of a job" in done.stderr
    assert "Traceback" not in done.stderr
    assert not pod.run.path.exists()


def test_another_driver_in_the_folder_is_awaited_and_so_is_a_request_to_stop(pod: Pod) -> None:
    pod.run.path.mkdir(parents=True)
    holder = (
        "import fcntl, os, subprocess, sys, time\n"
        "f = open(sys.argv[1], 'a'); fcntl.flock(f, fcntl.LOCK_EX)\n"
        "child = subprocess.Popen(sys.argv[2:], close_fds=True)\n"
        "time.sleep(3.0)\n"
        "assert child.poll() is None, 'it did not wait'\n"
        f"child.send_signal({signal.SIGTERM:d})\n"
        "sys.exit(child.wait(60))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", holder, str(pod.run.lock), *DRIVER],
        env={**os.environ, "VPPO_ATTEMPT_FILE": str(pod.mounted / "attempt.json")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [path.name for path in pod.run.path.iterdir()] == [".lock"]


def test_neither_the_entry_nor_the_prestop_command_loads_anything_heavy() -> None:
    subprocess.run([sys.executable, "-c", WITHOUT_HEAVY], check=True, timeout=120)
