"""A machine without processes: what a launcher would start is played by hand."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from vppo_core.archive.attempts import attempts_of
from vppo_core.archive.database import Database, open_database
from vppo_core.archive.errors import StoreUnavailableError
from vppo_core.archive.job_lists import active_jobs, expirable_jobs
from vppo_core.archive.records import JobChanges, JobRecord
from vppo_core.archive.transactions import connect
from vppo_core.spec.job import VPPOJob
from vppo_core.spec.platform import PlatformSpec
from vppo_core.spec.status import AttemptStatus
from vppo_services.local.launch_plan import mark_of
from vppo_services.local.launcher import Launcher
from vppo_services.local.loop import Loop
from vppo_services.local.processes import MARK
from vppo_services.local.run_folder import RunFolder
from vppo_services.local.store import SqlJobStore

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)

JobNamed = Callable[..., VPPOJob]


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class FakeDriver:
    """A driver as files and a lock: it trains when it is told to."""

    pid: int
    mark: str
    run: RunFolder
    index: int
    lock: int
    command: tuple[str, ...]
    environment: Mapping[str, str]
    first: int
    step: int
    total: int
    signals: int = 0
    leftovers: bool = True
    ended: bool = False

    @property
    def is_alive(self) -> bool:
        return not self.ended

    def report(self, now: datetime, stage: str = "sample") -> None:
        content = {
            "attempt": self.index,
            "incarnation": f"{self.pid:x}",
            "firstStep": self.first,
            "step": self.step,
            "totalSteps": self.total,
            "stage": stage,
            "stageSeconds": {"sample": 1.0},
            "stepSeconds": 1.0,
            "checkpoint": None,
            "time": now.isoformat(),
        }
        self.run.progress(self.index).write_text(json.dumps(content))

    def train(self, now: datetime) -> None:
        """One step, saved; the last one, or one after a signal, ends the run."""
        self.step += 1
        self.save(now)
        self.report(now)
        if self.step >= self.total:
            self.end(now, "Succeeded")
        elif self.signals:
            self.end(now, "Stopped")

    def save(self, now: datetime) -> None:
        folder = self.run.checkpoints / f"step-{self.step:06d}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "COMPLETE").write_text("{}")
        line = {
            "step": self.step,
            "uri": str(folder),
            "attempt": self.index,
            "created": now.isoformat(),
            "sizeBytes": 2,
            "metrics": {"reward_mean": 0.5, "accuracy_mean": None},
        }
        with self.run.checkpoint_lines.open("a") as file:
            file.write(json.dumps(line) + "\n")

    def end(self, now: datetime, outcome: str, **facts: Any) -> None:
        """With a report and without anything left behind."""
        self.last_word(now, outcome, **facts)
        self.leftovers = False
        self.die()

    def last_word(self, now: datetime, outcome: str, **facts: Any) -> None:
        content = {
            "attempt": self.index,
            "incarnation": f"{self.pid:x}",
            "exitCode": 0 if outcome != "Failed" else 1,
            "outcome": outcome,
            "failureClass": "",
            "message": "",
            "firstStep": self.first,
            "lastStep": self.step,
            "checkpointStep": self.step,
            "ended": now.isoformat(),
            **facts,
        }
        self.run.exit(self.index).write_text(json.dumps(content))

    def die(self) -> None:
        """At once, without a word."""
        if not self.ended:
            self.ended = True
            os.close(self.lock)


@dataclass
class FakeProcesses:
    """The processes of a machine that outlives the server."""

    total: int = 3
    drivers: list[FakeDriver] = field(default_factory=list)
    codes: dict[str, int] = field(default_factory=dict)
    on_effect: Callable[[str], None] = lambda _: None
    """Told before and after each thing that is done; it may raise."""

    swept: list[str] = field(default_factory=list)

    def spawn(
        self, command: Sequence[str], *, environment: Mapping[str, str], output: Path, lock: int
    ) -> int:
        self.on_effect("spawn")
        pid = 1000 + len(self.drivers)
        run = RunFolder(Path(command[command.index("--output") + 1]))
        index = int(command[command.index("--attempt") + 1])
        output.write_text("")
        saved = 0
        if "--resume" in command and run.checkpoints.exists():
            names = [p.parent.name for p in run.checkpoints.glob("*/COMPLETE")]
            saved = max((int(name.removeprefix("step-")) for name in names), default=0)
        driver = FakeDriver(
            pid=pid,
            mark=environment[MARK],
            run=run,
            index=index,
            lock=os.dup(lock),
            command=tuple(command),
            environment=dict(environment),
            first=saved,
            step=saved,
            total=self.total,
        )
        run.lock.write_text(str(pid))
        self.drivers.append(driver)
        self.on_effect("spawned")
        return pid

    def is_driver(self, pid: int, folder: Path) -> bool:
        return any(d.pid == pid and d.is_alive and d.run.path == folder for d in self.drivers)

    def terminate(self, pid: int) -> None:
        self.on_effect("terminate")
        for driver in self.drivers:
            if driver.pid == pid and driver.is_alive:
                driver.signals += 1
        self.on_effect("terminated")

    def kill(self, pid: int | None, mark: str) -> None:
        self.on_effect("kill")
        self.swept.append(mark)
        for driver in self.drivers:
            if driver.pid == pid or driver.mark == mark:
                driver.die()
                driver.leftovers = False
        self.on_effect("killed")

    def exit_code(self, mark: str) -> int | None:
        return self.codes.get(mark)

    def alive(self, uid: str | None = None) -> list[FakeDriver]:
        return [
            d for d in self.drivers if d.is_alive and (uid is None or d.mark.startswith(f"{uid}/"))
        ]

    def of(self, uid: str, index: int) -> FakeDriver:
        return next(d for d in self.drivers if d.mark == mark_of(uid, index))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def processes() -> FakeProcesses:
    return FakeProcesses()


@pytest.fixture(scope="session")
def job_named() -> JobNamed:
    """Makes a job; sections of the spec are given on the wire names."""

    def make(name: str = "", **sections: Any) -> VPPOJob:
        spec = {
            "model": {"source": "demo://tiny"},
            "data": {"source": "demo://colours"},
            "learner": {"numSteps": 3},
            **sections,
        }
        return VPPOJob.model_validate({"metadata": {"name": name}, "spec": spec})

    return make


class FragileDatabase(Database):
    """A database that may be away, and that tells of each transaction that writes."""

    def __init__(self, inner: Database) -> None:
        self.inner = inner
        self.is_away = False
        self.on_effect: Callable[[str], None] = lambda _: None

    @contextmanager
    def reading(self) -> Iterator[Any]:
        if self.is_away:
            raise StoreUnavailableError("the database is away; try again")
        with self.inner.reading() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Any]:
        if self.is_away:
            raise StoreUnavailableError("the database is away; try again")
        self.on_effect("write")
        with self.inner.writing() as connection:
            yield connection
        self.on_effect("written")


class Machine:
    """A state folder, its server, and the processes that outlive it."""

    def __init__(
        self,
        state: Path,
        database: Path,
        *,
        processes: FakeProcesses,
        clock: Clock,
        platform: PlatformSpec,
    ) -> None:
        self.state = state
        self.clock = clock
        self.processes = processes
        self.platform = platform
        state.mkdir(parents=True)
        shutil.copy(database, state / "vppo.db")
        self.inner = connect(f"sqlite:///{state / 'vppo.db'}")
        self.store = SqlJobStore(
            self.inner,
            jobs_folder=state / "jobs",
            platform=platform,
            clock=clock,
            wake=lambda: None,
        )
        self.restart()

    def restart(self) -> None:
        """Another server process on the same folder; the drivers do not notice."""
        self.db = FragileDatabase(self.inner)
        self.launcher = Launcher(
            self.state / "jobs", command=("driver",), environment={}, processes=self.processes
        )
        self.loop = Loop(
            self.db, self.launcher, platform=self.platform, clock=self.clock, state=self.state
        )

    def is_at_rest(self) -> bool:
        """Whether nothing is left to do for the loop now."""
        return not active_jobs(self.inner) and not expirable_jobs(self.inner, self.clock(), 1)

    def submit(self, job: VPPOJob) -> JobRecord:
        self.clock.advance(0.001)
        return self.store.create(job, owner="ann")[0]

    def patch(self, name: str, **changes: Any) -> JobRecord:
        return self.store.patch(name, JobChanges(**changes), actor="ann")

    def round(self, *, train: bool = True, seconds: float = 1.0) -> None:
        """A second passes: living drivers do a step, then the loop looks."""
        self.clock.advance(seconds)
        if train:
            for driver in self.processes.alive():
                driver.train(self.clock())
        self.loop.step()

    def rounds(self, count: int) -> None:
        for _ in range(count):
            self.round()

    def until(self, name: str, phase: str, limit: int = 60) -> JobRecord:
        for _ in range(limit):
            record = self.store.get(name)
            if record.phase == phase:
                return record
            self.round()
        raise AssertionError(f"{name} is {self.store.get(name).phase}, not {phase}")

    def attempts(self, name: str) -> list[AttemptStatus]:
        return attempts_of(self.inner, self.store.get(name).uid)

    def reasons(self, name: str) -> list[str]:
        uid = self.store.get(name).uid
        return [one.reason for one in self.store.events(uid, limit=1000)]


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Migrated once; every machine gets a copy."""
    path = tmp_path_factory.mktemp("archive") / "vppo.db"
    open_database(f"sqlite:///{path}").close()
    return path


@pytest.fixture
def memory_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: thousands of commits need not wait for a disk."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as folder:
        yield Path(folder)


@pytest.fixture
def new_machine(memory_folder: Path, empty_database: Path) -> Iterator[Callable[..., Machine]]:
    machines: list[Machine] = []

    def make(platform: PlatformSpec | None = None, *, total: int = 3) -> Machine:
        machine = Machine(
            memory_folder / f"state-{len(machines)}",
            empty_database,
            processes=FakeProcesses(total=total),
            clock=Clock(),
            platform=platform or PlatformSpec(),
        )
        machines.append(machine)
        return machine

    yield make
    for machine in machines:
        machine.inner.close()
        for driver in machine.processes.drivers:
            driver.die()


@pytest.fixture
def machine(new_machine: Callable[..., Machine]) -> Machine:
    return new_machine()
