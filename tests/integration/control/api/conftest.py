"""The API on the stores of one machine and of a cluster, without anything that runs jobs."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.sim.kube_server import SimulatedServer
from vppo_core.archive.database import Database, open_database
from vppo_core.kube.api import KubeObject
from vppo_core.kube.kinds import VPPO_JOBS
from vppo_core.spec.platform import PlatformSpec, PoolOffer, QueueOffer
from vppo_services.api.app import create_app
from vppo_services.api.job_store import JobStore
from vppo_services.api.settings import ApiSettings, StoreKind
from vppo_services.cluster.store import KubeJobStore
from vppo_services.local.store import SqlJobStore

PLATFORM = PlatformSpec(
    pools=(PoolOffer(name="big", gpus=512, price_per_gpu_hour=2.0),),
    queues=(QueueOffer(name="default", pool="big"),),
)
NODES = {"gpusPerNode": 64, "cpusPerNode": 4096, "memoryMibPerNode": 2**26}
CLUSTER_PLATFORM = PlatformSpec.model_validate(
    {
        "pools": [{"name": "big", "gpus": 65_536, "pricePerGpuHour": 2.0, "nodes": NODES}],
        "queues": [{"name": "default", "pool": "big"}],
        "cluster": {"image": "registry.example/vppo:1", "storage": {"claim": "runs"}},
    }
)
FAST = {"rate": 1e6, "burst": 1_000_000}


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


def opened_on(folder: Path, server: SimulatedServer) -> tuple[Database, KubeJobStore]:
    db = open_database(f"sqlite:///{folder / 'vppo.db'}")
    store = KubeJobStore(
        server,
        db,
        jobs_folder=folder / "jobs",
        platform=CLUSTER_PLATFORM,
        clock=lambda: datetime.now(UTC),
        namespace="default",
    )
    return db, store


def hold(before: KubeObject | None, after: KubeObject) -> None:
    """Every job has an attempt that lives: a deleted one stays."""
    if before is None:
        after["metadata"]["finalizers"] = ["vppo.io/attempt"]


@pytest.fixture(scope="session")
def open_cluster_store() -> Callable[[Path, SimulatedServer], tuple[Database, KubeJobStore]]:
    """Opens the store on an API server and an archive, as each API pod does."""
    return opened_on


@pytest.fixture(scope="session")
def open_store() -> Callable[[Path], tuple[Database, SqlJobStore]]:
    """Opens the store in a folder, as each process of a machine does."""
    return opened


@pytest.fixture(scope="module", params=["machine", "cluster"])
def either_store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[JobStore]:
    """Each kind of store in turn."""
    folder = tmp_path_factory.mktemp("state")
    db: Database
    store: JobStore
    if request.param == "machine":
        db, store = opened(folder)
    else:
        server = SimulatedServer()
        server.store.admission[VPPO_JOBS] = [hold]
        db, store = opened_on(folder, server)
    yield store
    db.close()


@pytest.fixture(scope="module")
def open_app(either_store: JobStore) -> FromThisMachine:
    """An application on it that lets in everybody."""
    settings = ApiSettings(**FAST)
    if isinstance(either_store, KubeJobStore):
        platform = Path("platform.yaml")
        settings = ApiSettings(
            job_store=StoreKind.KUBE, namespaces=("default",), platform=platform, **FAST
        )
    return FromThisMachine(create_app(either_store, settings))


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
