"""`kill -9` of a server with running jobs: the next one adopts all and starts none twice."""

import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from vppo_core.archive.attempts import attempts_of
from vppo_core.archive.database import open_database
from vppo_core.archive.records import JobChanges
from vppo_core.spec.status import Outcome
from vppo_services.local.platform import load_platform
from vppo_services.local.store import SqlJobStore

PLATFORM = """
pools: [{name: left}, {name: right}]
queues: [{name: a, pool: left}, {name: b, pool: right}]
"""


class State:
    """A state folder, its servers, and a store beside them as a second API process has it."""

    def __init__(self, folder: Path, server: Path, driver: Path) -> None:
        self.folder = folder
        self._command = [sys.executable, str(server), str(folder), str(driver)]
        self.servers: list[subprocess.Popen[bytes]] = []
        folder.mkdir()
        (folder / "platform.yaml").write_text(PLATFORM)
        self.db = open_database(f"sqlite:///{folder / 'vppo.db'}")
        self.store = SqlJobStore(
            self.db,
            jobs_folder=folder / "jobs",
            platform=load_platform(folder / "platform.yaml"),
            clock=lambda: datetime.now(UTC),
            wake=lambda: None,
        )

    def serve(self) -> subprocess.Popen[bytes]:
        with (self.folder / "server.log").open("ab") as log:
            server = subprocess.Popen(self._command, stdout=log, stderr=log)
        self.servers.append(server)
        return server

    def phase(self, name: str) -> str:
        return self.store.get(name).phase

    def step(self, name: str) -> int:
        return self.store.get(name).status.progress.step

    def starts(self, name: str) -> list[int]:
        """Attempts whose drivers ran, as the drivers themselves noted."""
        path = self.folder / "jobs" / self.store.get(name).uid / "starts.txt"
        return [int(line.split()[0]) for line in path.read_text().splitlines()]


@pytest.fixture
def state(tmp_path: Path, fake_server: Path, fake_driver: Path) -> Iterator[State]:
    state = State(tmp_path / "state", fake_server, fake_driver)
    yield state
    for server in state.servers:
        server.kill()
        server.wait()
    state.db.close()


def test_running_jobs_are_adopted_and_finish_once(
    state: State, job_named: Any, wait_for: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_STEP_SECONDS", "0.2")
    for name, queue in (("one", "a"), ("two", "b")):
        job = job_named(name, learner={"numSteps": 25}, scheduling={"queue": queue})
        state.store.create(job, owner="ann")
    server = state.serve()
    wait_for(lambda: state.step("one") > 1 and state.step("two") > 1, "both train")
    server.kill()
    server.wait()
    state.serve()
    for name in ("one", "two"):
        wait_for(lambda name=name: state.phase(name) == "Succeeded", f"{name} ends")
        [attempt] = attempts_of(state.db, state.store.get(name).uid)
        assert (attempt.outcome, attempt.last_step) == (Outcome.SUCCEEDED, 25)
        assert state.starts(name) == [1]


def test_a_server_killed_again_and_again_finishes_each_job_once(
    state: State,
    job_named: Any,
    wait_for: Any,
    carriers: Callable[[str], list[int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FAKE_STEP_SECONDS", "0.05")
    names = ["first", "second", "third"]
    uids = [
        state.store.create(job_named(name, learner={"numSteps": 10}), owner="ann")[0].uid
        for name in names
    ]
    delays = random.Random(7)
    for _ in range(8):
        server = state.serve()
        until = time.monotonic() + delays.uniform(0.9, 2.0)
        while time.monotonic() < until:
            assert sum(len(carriers(f"{uid}/")) for uid in uids) <= 1, "a pool holds one job"
            time.sleep(0.02)
        server.kill()
        server.wait()
    state.serve()
    for name in names:
        wait_for(lambda name=name: state.phase(name) == "Succeeded", f"{name} ends")
        starts = state.starts(name)
        attempts = attempts_of(state.db, state.store.get(name).uid)
        assert len(starts) == len(set(starts)), "an attempt is started at most once"
        assert set(starts) <= {one.index for one in attempts}
        assert attempts[-1].last_step == 10
        assert not any(one.charged for one in attempts)


def test_what_is_asked_while_no_server_lives_is_done_by_the_next(
    state: State, job_named: Any, wait_for: Any
) -> None:
    job = job_named("demo", learner={"numSteps": 10_000})
    uid = state.store.create(job, owner="ann")[0].uid
    server = state.serve()
    wait_for(lambda: state.step("demo") > 1, "it trains")
    server.kill()
    server.wait()
    state.store.patch("demo", JobChanges(desired_state="Paused"), actor="ann")
    state.serve()
    wait_for(lambda: state.phase("demo") == "Paused", "it pauses")
    [attempt] = attempts_of(state.db, uid)
    assert attempt.outcome is Outcome.STOPPED
    assert attempt.checkpoint_step == attempt.last_step > 0
    state.store.delete("demo", actor="ann")
    wait_for(lambda: state.store.get("demo").released, "it is let go")


def test_a_second_server_waits_and_takes_over(state: State, job_named: Any, wait_for: Any) -> None:
    first = state.serve()
    state.store.create(job_named("demo", learner={"numSteps": 60}), owner="ann")
    wait_for(lambda: state.step("demo") > 0, "it trains")
    second = state.serve()
    time.sleep(1.5)
    assert second.poll() is None
    first.kill()
    first.wait()
    wait_for(lambda: state.phase("demo") == "Succeeded", "the second one goes on")
    assert state.starts("demo") == [1]


def test_a_server_that_is_asked_to_end_leaves_its_jobs_running(
    state: State, job_named: Any, wait_for: Any, carriers: Callable[[str], list[int]]
) -> None:
    server = state.serve()
    uid = state.store.create(job_named("demo", learner={"numSteps": 10_000}), owner="ann")[0].uid
    wait_for(lambda: state.step("demo") > 0, "it trains")
    server.terminate()
    assert server.wait(30) == 0
    assert carriers(f"{uid}/1")


def test_a_failing_job_ends_with_its_reason(
    state: State, job_named: Any, wait_for: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_FAULT", "fails")
    state.store.create(job_named("demo"), owner="ann")
    state.serve()
    wait_for(lambda: state.phase("demo") == "Failed", "it fails")
    assert "data.source is no good" in state.store.explain("demo").sentence
