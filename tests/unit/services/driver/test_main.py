"""An attempt that never gets to training: it still says how it ended, and imports little."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from vppo_core.spec.origin import REQUEST_ID

NOTES = {REQUEST_ID: "build-7"}
DRIVER = [sys.executable, "-m", "vppo_services.driver"]
WITHOUT_HEAVY = """
import sys
from vppo_services.driver.__main__ import main
for name in ("torch", "ray", "transformers", "mlflow", "numpy"):
    assert name not in sys.modules, name
"""


def run_driver(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*DRIVER, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def test_its_log_lines_name_the_request_that_made_the_job(tmp_path: Path) -> None:
    job = tmp_path / "job.json"
    job.write_text(json.dumps({"metadata": {"name": "demo", "annotations": NOTES}}))
    run_driver("--job", str(job), "--output", str(tmp_path / "run"))
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert {(line["job"], line["request"]) for line in lines} == {("demo", "build-7")}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param(None, "--job must name a job file", id="no-file"),
        pytest.param("{", "", id="damaged"),
    ],
)
def test_a_job_that_cannot_be_read_is_the_end_of_the_attempt(
    tmp_path: Path, text: str | None, reason: str
) -> None:
    job, output = tmp_path / "job.json", tmp_path / "run"
    if text is not None:
        job.write_text(text)
    done = run_driver("--job", str(job), "--output", str(output), "--attempt", "7")
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    ending = read(output / "attempts" / "7" / "exit.json")
    assert (ending["outcome"], ending["exitCode"]) == ("Failed", 2)
    assert ending["failureClass"] == "InvalidSpec"
    assert reason in ending["message"]
    assert read(output / "attempts" / "7" / "progress.json")["stage"] == "starting"
    [line] = (output / "log.jsonl").read_text().splitlines()
    assert json.loads(line)["attempt"] == 7


def test_an_error_that_nobody_expected_leaves_its_class_and_its_traceback(tmp_path: Path) -> None:
    package = tmp_path / "broken" / "ray"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('planted')\n")
    job, output = tmp_path / "job.json", tmp_path / "run"
    job.write_text(
        '{"apiVersion": "vppo.io/v1alpha1", "kind": "VPPOJob",'
        ' "spec": {"model": {"source": "m"}, "data": {"source": "d"}}}'
    )
    done = run_driver(
        "--job", str(job), "--output", str(output), PYTHONPATH=str(tmp_path / "broken")
    )
    assert done.returncode == 1, done.stderr
    ending = read(output / "attempts" / "1" / "exit.json")
    assert (ending["outcome"], ending["exitCode"]) == ("Failed", 1)
    assert ending["failureClass"] == "Unknown"
    assert ending["message"] == "RuntimeError: planted"
    assert read(output / "attempts" / "1" / "progress.json")["totalSteps"] > 0
    [line] = (output / "log.jsonl").read_text().splitlines()
    assert "Traceback" in json.loads(line)["exception"]


def test_a_folder_in_use_is_left_as_it_is(tmp_path: Path) -> None:
    output = tmp_path / "run"
    output.mkdir()
    (output / ".lock").write_text("4711")
    holder = "import fcntl, sys, subprocess; f = open(sys.argv[1], 'a'); fcntl.flock(f, 2)\n"
    holder += "sys.exit(subprocess.run(sys.argv[2:]).returncode)"
    command = [*DRIVER, "--job", "unused", "--output", str(output)]
    done = subprocess.run(
        [sys.executable, "-c", holder, str(output / ".lock"), *command],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "must name a folder that no run is using" in done.stderr
    assert [path.name for path in output.iterdir()] == [".lock"]
    assert (output / ".lock").read_text() == "4711"


def test_the_program_hears_signals_before_it_loads_anything_heavy() -> None:
    subprocess.run([sys.executable, "-c", WITHOUT_HEAVY], check=True, timeout=120)
