"""A machine without processes: what a launcher would start is played by hand."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.unit.services.local.fake_processes import Clock, FakeProcesses
from vppo_core.archive.attempts import attempts_of
from vppo_core.archive.database import Database, open_database
from vppo_core.archive.errors import StoreUnavailableError
from vppo_core.archive.job_lists import active_jobs, expirable_jobs
from vppo_core.archive.records import JobChanges, JobRecord
from vppo_core.archive.transactions import connect
from vppo_core.spec.job import VPPOJob
from vppo_core.spec.platform import PlatformSpec
from vppo_core.spec.status import AttemptStatus
from vppo_services.local.launcher import Launcher
from vppo_services.local.loop import Loop
from vppo_services.local.store import SqlJobStore

JobNamed = Callable[..., VPPOJob]


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
