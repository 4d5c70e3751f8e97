"""The whole control plane in this process, but for the driver: that one only keeps the protocol."""

import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import uvicorn

from vppo_core.archive.database import open_database
from vppo_core.spec.platform import PlatformSpec
from vppo_services.api.app import create_app
from vppo_services.api.settings import ApiSettings
from vppo_services.local.launcher import Launcher
from vppo_services.local.loop import Loop
from vppo_services.local.store import SqlJobStore

DEADLINE_SECONDS = 30.0
DRIVER = Path(__file__).with_name("obedient_driver.py")
TOKENS = "0123456789abcdef0123 alice\nfedcba9876543210fedc bob viewer\n"


def now() -> datetime:
    return datetime.now(UTC)


class ControlPlane:
    """Listens at one address; may be stopped and started again there."""

    def __init__(self, folder: Path) -> None:
        platform = PlatformSpec()
        jobs = folder / "jobs"
        command = (sys.executable, str(DRIVER))
        self.db = open_database(f"sqlite:///{folder / 'vppo.db'}")
        self.loop = Loop(
            self.db, Launcher(jobs, command=command), platform=platform, clock=now, state=folder
        )
        self.store = SqlJobStore(
            self.db,
            jobs_folder=jobs,
            platform=platform,
            clock=now,
            wake=self.loop.wake,
            command=command,
        )
        self.tokens = folder / "tokens"
        self.tokens.write_text(TOKENS)
        self.port = 0
        self._stop = threading.Event()
        self._looping = threading.Thread(target=self.loop.run, args=(self._stop,), daemon=True)
        self._looping.start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @contextmanager
    def listening(self) -> Iterator[None]:
        settings = ApiSettings(port=self.port, token_file=self.tokens)
        config = uvicorn.Config(
            create_app(self.store, settings), log_level="error", timeout_graceful_shutdown=1
        )
        listener = socket.create_server(("127.0.0.1", self.port))
        self.port = listener.getsockname()[1]
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        until(lambda: server.started)
        try:
            yield
        finally:
            server.should_exit = True
            thread.join(DEADLINE_SECONDS)
            listener.close()

    def close(self) -> None:
        self._stop.set()
        self.loop.wake()
        self._looping.join(DEADLINE_SECONDS)
        self.db.close()


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, "it did not come to pass in time"
        time.sleep(0.02)


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[ControlPlane]:
    plane = ControlPlane(tmp_path)
    try:
        yield plane
    finally:
        plane.close()


@pytest.fixture
def served(plane: ControlPlane) -> Iterator[ControlPlane]:
    with plane.listening():
        yield plane
