"""The API on the store of one machine, without anything that runs jobs."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from vppo_core.archive.database import Database, open_database
from vppo_core.spec.platform import PlatformSpec, PoolOffer, QueueOffer
from vppo_services.api.app import create_app
from vppo_services.api.settings import ApiSettings
from vppo_services.local.store import SqlJobStore

PLATFORM = PlatformSpec(
    pools=(PoolOffer(name="big", gpus=512, price_per_gpu_hour=2.0),),
    queues=(QueueOffer(name="default", pool="big"),),
)


class FromThisMachine:
    """Passes requests on as if a program of this machine had sent them."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            kept = [(name, value) for name, value in scope["headers"] if name != b"host"]
            headers = [(b"host", b"localhost"), *kept]
            scope = scope | {"client": ("127.0.0.1", 50_000), "headers": headers}
        await self._app(scope, receive, send)


def opened(folder: Path) -> tuple[Database, SqlJobStore]:
    db = open_database(f"sqlite:///{folder / 'vppo.db'}")
    store = SqlJobStore(
        db,
        jobs_folder=folder / "jobs",
        platform=PLATFORM,
        clock=lambda: datetime.now(UTC),
        wake=lambda: None,
    )
    return db, store


@pytest.fixture(scope="session")
def open_store() -> Callable[[Path], tuple[Database, SqlJobStore]]:
    """Opens the store in a folder, as each process of a machine does."""
    return opened


@pytest.fixture(scope="module")
def sql_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlJobStore]:
    db, store = opened(tmp_path_factory.mktemp("state"))
    yield store
    db.close()


@pytest.fixture(scope="module")
def local_app(sql_store: SqlJobStore) -> FromThisMachine:
    return FromThisMachine(create_app(sql_store, ApiSettings(rate=1e6, burst=1_000_000)))


@pytest.fixture(scope="session")
def minimal_job() -> Callable[..., dict[str, Any]]:
    def make(name: str = "") -> dict[str, Any]:
        return {
            "apiVersion": "vppo.io/v1alpha1",
            "kind": "VPPOJob",
            "metadata": {"name": name},
            "spec": {"model": {"source": "demo://a"}, "data": {"source": "demo://colours"}},
        }

    return make
