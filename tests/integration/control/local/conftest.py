"""Real processes: waiting with a deadline, and nothing left behind."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from vppo_core.spec.job import VPPOJob
from vppo_services.local.processes import MARK

DEADLINE_SECONDS = 60.0
FAKE_DRIVER = Path(__file__).with_name("fake_driver.py")
FAKE_SERVER = Path(__file__).with_name("fake_server.py")


@pytest.fixture
def wait_for() -> Callable[[Callable[[], Any], str], Any]:
    """Polls until something is true."""

    def wait(is_true: Callable[[], Any], what: str) -> Any:
        until = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < until:
            found = is_true()
            if found:
                return found
            time.sleep(0.02)
        raise AssertionError(f"not within {DEADLINE_SECONDS:.0f} s: {what}")

    return wait


@pytest.fixture(scope="session")
def fake_driver() -> Path:
    return FAKE_DRIVER


@pytest.fixture(scope="session")
def fake_server() -> Path:
    return FAKE_SERVER


@pytest.fixture(scope="session")
def job_named() -> Callable[..., VPPOJob]:
    def make(name: str = "", **sections: Any) -> VPPOJob:
        spec = {"model": {"source": "demo://tiny"}, "data": {"source": "demo://colours"}}
        return VPPOJob.model_validate({"metadata": {"name": name}, "spec": {**spec, **sections}})

    return make


SESSION = "LOCAL_TEST_SESSION"
"""Variable that only processes of this test run carry: others are nobody's to end."""


def marked() -> list[psutil.Process]:
    """Living processes that a launcher of this test run started."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            environment = process.environ()
            is_ours = environment.get(SESSION) == str(os.getpid()) and MARK in environment
            if is_ours and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


@pytest.fixture
def carriers() -> Callable[[str], list[int]]:
    """Ids of the processes of an attempt or, with a beginning of its mark, of several."""

    def find(mark: str) -> list[int]:
        found = []
        for process in marked():
            with suppress(psutil.Error):
                if process.environ()[MARK].startswith(mark):
                    found.append(process.pid)
        return found

    return find


@pytest.fixture(autouse=True)
def no_process_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv(SESSION, str(os.getpid()))
    yield
    for process in marked():
        with suppress(psutil.Error):
            process.kill()
