"""A receiver with one driver, and the operator's look at one job."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.sim.receiver_server import ReceiverServer
from tests.unit.operator.reconcile_bench import Bench
from vppo_core.archive.database import Database, open_database
from vppo_services.driver.receiver import TIMEOUT_SECONDS


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ReceiverServer]:
    """A receiver that knows attempt 2 of `team/colours`, uid `uid-1`, and its token `good`."""
    server = ReceiverServer(tmp_path / "jobs")
    server.allow("good", namespace="team", job="colours")
    server.known.add(("team", "colours", "uid-1", 2))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def client(server: ReceiverServer) -> Iterator[httpx.Client]:
    """A driver with that token."""
    headers = {"Authorization": "Bearer good"}
    with httpx.Client(base_url=server.url, headers=headers, timeout=TIMEOUT_SECONDS) as client:
        yield client


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    database = open_database(f"sqlite:///{tmp_path_factory.mktemp('db') / 'vppo.db'}")
    yield database
    database.close()


@pytest.fixture
def bench(tmp_path: Path, db: Database) -> Bench:
    return Bench(tmp_path, db)
