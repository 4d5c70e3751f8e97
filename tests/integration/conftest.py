"""Starts whole jobs for tests: a tiny model whose answers are graded by their length."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.small_job import small_spec

DEADLINE_SECONDS = 300.0
GRADER = """
import os, time

def grade(text, answer):
    if os.environ.get("GRADER_FAULTS") and len(text) % 7 == 0:
        time.sleep(3600)
    if os.environ.get("GRADER_FAULTS") and len(text) % 7 == 1:
        raise RuntimeError("planted")
    return float(len(text) % 2)
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that start vLLM in this process go first.

    vLLM reads every attribute of every module that is loaded, and the proxies of Flask, which other
    tests bring in, refuse to be read.
    """
    items.sort(key=lambda item: "tests/integration/rollout/" not in item.nodeid)


class Runs:
    """Starts `vppo train` on a tiny model whose answers are graded by their length."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.children: list[subprocess.Popen[str]] = []
        (folder / "grader").mkdir()
        (folder / "grader" / "by_length.py").write_text(GRADER)

    def spec(self, **sections: dict[str, Any]) -> Path:
        spec = small_spec(timeout_seconds=1.0, num_steps=4, **sections)
        path = self.folder / f"job-{len(self.children)}.yaml"
        document = {"apiVersion": "vppo.io/v1alpha1", "kind": "VPPOJob", "spec": spec}
        path.write_text(yaml.safe_dump(document))
        return path

    def start(self, spec: Path, output: Path, *more: str, **environment: str) -> Any:
        command = [str(Path(sys.executable).with_name("vppo")), "train", str(spec)]
        child = subprocess.Popen(
            [*command, "--output", str(output), *more],
            env={**os.environ, "PYTHONPATH": str(self.folder / "grader"), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.children.append(child)
        return child

    def run(self, spec: Path, output: Path, *more: str, **environment: str) -> tuple[int, str]:
        child = self.start(spec, output, *more, **environment)
        text, _ = child.communicate(timeout=DEADLINE_SECONDS)
        return child.returncode, text

    def wait_for(self, condition: Callable[[], bool], child: Any) -> None:
        """Wait until something is so, while the run lives."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not condition():
            assert child.poll() is None, child.stdout.read()
            assert time.monotonic() < deadline, "the run does not get there"
            time.sleep(0.05)

    def processes(self) -> dict[int, str]:
        """Commands of the processes that these runs started, or that these started."""
        found = {}
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                command = (entry / "cmdline").read_bytes().decode(errors="replace")
                environment = (entry / "environ").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if str(self.folder / "grader") in command + environment:
                found[int(entry.name)] = command
        return found

    def export(self, run: Path, destination: Path) -> None:
        vppo = str(Path(sys.executable).with_name("vppo"))
        subprocess.run([vppo, "export", str(run), str(destination)], check=True, timeout=120)

    def evaluate(self, run: Path) -> Any:
        """What `vppo eval` prints, for the questions that the run itself asked."""
        done = subprocess.run(
            [sys.executable, "-m", "vppo_services.evaluation", str(run)],
            env={**os.environ, "PYTHONPATH": str(self.folder / "grader")},
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Runs]:
    runs = Runs(tmp_path)
    yield runs
    for child in runs.children:
        if child.poll() is None:
            child.kill()
