"""The command as a process: it starts fast, imports little, and becomes the program it starts."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from vppo_services.cli.main import app

HEAVY = ("torch", "ray", "mlflow", "transformers", "vllm")
FAKE_DRIVER = """\
import os, signal, sys
got = []
signal.signal(signal.SIGINT, lambda number, _: got.append(number))
signal.signal(signal.SIGTERM, lambda number, _: got.append(number))
print("ready", os.getpid(), *sys.argv[1:3], flush=True)
while not got:
    signal.pause()
sys.exit(40 + len(got) if sys.argv[-1] == "--quiet" else 50)
"""
START = """\
import sys
from vppo_services.cli.launch import Launcher
from vppo_services.cli.main import app
app(args=sys.argv[2:], obj=Launcher((sys.executable, sys.argv[1])))
"""
JOB = """\
apiVersion: vppo.io/v1alpha1
kind: VPPOJob
spec: {model: {source: m}, data: {source: d}}
"""


def start(tmp_path: Path) -> "subprocess.Popen[str]":
    (tmp_path / "driver.py").write_text(FAKE_DRIVER)
    (tmp_path / "job.yaml").write_text(JOB)
    command = [sys.executable, "-c", START, "driver.py", "train", "job.yaml", "--quiet"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    return subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_reaches_the_driver_once_and_its_exit_code_comes_back(
    tmp_path: Path, number: signal.Signals
) -> None:
    with start(tmp_path) as process:
        assert process.stdout is not None
        assert "-m vppo_services.driver" in process.stdout.readline()
        process.send_signal(number)
        assert process.wait(timeout=30) == 41


def test_nothing_stays_behind_a_killed_command(tmp_path: Path) -> None:
    with start(tmp_path) as process:
        assert process.stdout is not None
        driver = int(process.stdout.readline().split()[1])
        process.kill()
        assert process.wait(timeout=30) == -signal.SIGKILL
    with pytest.raises(ProcessLookupError):
        os.kill(driver, 0)


def test_the_command_line_imports_no_gpu_stack() -> None:
    code = f"import sys, vppo_services.cli.main; print([m for m in {HEAVY} if m in sys.modules])"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_command_line_needs_less_than_a_second_of_processor_time() -> None:
    code = "import time, vppo_services.cli.main; print(time.process_time())"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert float(done.stdout) < 1.0


def test_the_version_is_printed() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, bool(re.fullmatch(r"vppo \d+\.\d+\.\d+\S*\n", result.stdout))) == (
        0,
        True,
    )


def test_every_command_has_help() -> None:
    for command in ("train", "validate", "presets", "schema", "export"):
        result = CliRunner().invoke(app, [command, "--help"])
        assert result.exit_code == 0
