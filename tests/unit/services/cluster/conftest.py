"""A cluster in memory with a played operator, and a machine, for what both stores must do."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.sim.kube_server import SimulatedServer
from vppo_core.archive.database import Database, open_database
from vppo_core.archive.errors import StoreUnavailableError
from vppo_core.archive.jobs import get_job, mark_released, write_plan
from vppo_core.archive.mirror import mirror_job
from vppo_core.kube.api import KubeObject
from vppo_core.kube.kinds import VPPO_JOBS
from vppo_core.spec.job import VPPOJob
from vppo_core.spec.platform import PlatformSpec
from vppo_core.spec.status import (
    Condition,
    ConditionStatus,
    ConditionType,
    JobPhase,
    VPPOJobStatus,
)
from vppo_services.api.job_store import JobStore
from vppo_services.cluster.objects import record_of
from vppo_services.cluster.store import KubeJobStore
from vppo_services.local.store import SqlJobStore

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
FINALIZER = "vppo.io/attempt"
NODES = {"gpusPerNode": 8, "cpusPerNode": 64, "memoryMibPerNode": 1_048_576}
PLATFORM = PlatformSpec.model_validate(
    {
        "pools": [{"name": "gpu", "gpus": 8, "nodes": NODES}],
        "queues": [{"name": "default", "pool": "gpu"}, {"name": "night", "pool": "gpu"}],
        "cluster": {"image": "registry.example/vppo:1", "storage": {"claim": "runs"}},
    }
)


class Clock:
    """A time that is moved."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def seconds(self) -> float:
        return self.now.timestamp()

    def pass_by(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class FragileDatabase(Database):
    """A database that may be away."""

    def __init__(self, inner: Database) -> None:
        self.inner = inner
        self.is_away = False

    def reading(self) -> Any:
        self._check()
        return self.inner.reading()

    def writing(self) -> Any:
        self._check()
        return self.inner.writing()

    def _check(self) -> None:
        if self.is_away:
            raise StoreUnavailableError("the database must answer, got nothing; try again")


def finished(phase: JobPhase, now: datetime) -> tuple[Condition, ...]:
    if not phase.is_final:
        return ()
    return (
        Condition(
            type=ConditionType.FINISHED,
            status=ConditionStatus.TRUE,
            reason=phase.value,
            last_transition_time=now,
        ),
    )


class Cluster:
    """An API server, the store under test, and an operator that only writes down."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self._seen: set[str] = set()
        self.server = SimulatedServer(now=self.clock, namespaces=("default", "team"))
        self.db = FragileDatabase(open_database(f"sqlite:///{folder / 'vppo.db'}"))
        self.jobs_folder = folder / "jobs"
        self.store = KubeJobStore(
            self.server,
            self.db,
            jobs_folder=self.jobs_folder,
            platform=PLATFORM,
            clock=self.clock,
            namespace="default",
        )

    def settle(self) -> None:
        """The operator has seen everything: rows for all objects, and those that went are free."""
        present = set()
        for document in self.server.store.list(VPPO_JOBS):
            record = record_of(document)
            present.add(record.uid)
            mirror_job(self.db.inner, record, self.clock())
            write_plan(
                self.db.inner,
                record.uid,
                status=record.status,
                attempts=record.status.attempts,
                events=(),
                usage={},
                now=self.clock(),
            )
        for uid in self._seen - present:
            mark_released(self.db.inner, uid, self.clock())
        self._seen |= present

    def set_status(self, name: str, status: VPPOJobStatus, *, namespace: str = "default") -> None:
        document = status.model_dump(mode="json", by_alias=True, exclude_none=True)
        self.server.store.patch(
            VPPO_JOBS, namespace, name, {"status": document}, subresource="status"
        )

    def set_phase(self, name: str, phase: JobPhase, *, namespace: str = "default") -> None:
        status = VPPOJobStatus(phase=phase, conditions=finished(phase, self.clock()))
        self.set_status(name, status, namespace=namespace)
        self.settle()

    def hold(self, name: str, *, namespace: str = "default") -> None:
        """An attempt lives: the object waits for its end."""
        change = {"metadata": {"finalizers": [FINALIZER]}}
        self.server.store.patch(VPPO_JOBS, namespace, name, change)

    def let_go(self, name: str, *, namespace: str = "default") -> None:
        """Nothing of it lives any more."""
        if self.server.store.get(VPPO_JOBS, namespace, name) is not None:
            change = {"metadata": {"finalizers": []}}
            self.server.store.patch(VPPO_JOBS, namespace, name, change)
        self.settle()

    def object(self, name: str, *, namespace: str = "default") -> KubeObject:
        found = self.server.store.get(VPPO_JOBS, namespace, name)
        assert found is not None
        return found

    def close(self) -> None:
        self.db.inner.close()


class Machine:
    """The store of one machine, with the same handles."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self.db = open_database(f"sqlite:///{folder / 'vppo.db'}")
        self.store = SqlJobStore(
            self.db,
            jobs_folder=folder / "jobs",
            platform=PLATFORM,
            clock=self.clock,
            wake=lambda: None,
        )

    def settle(self) -> None:
        pass

    def hold(self, name: str) -> None:
        pass

    def let_go(self, name: str) -> None:
        mark_released(self.db, get_job(self.db, name).uid, self.clock())

    def set_phase(self, name: str, phase: JobPhase) -> None:
        write_plan(
            self.db,
            get_job(self.db, name).uid,
            status=VPPOJobStatus(phase=phase, conditions=finished(phase, self.clock())),
            attempts=(),
            events=(),
            usage={},
            now=self.clock(),
        )

    def close(self) -> None:
        self.db.close()


def as_job_store(store: KubeJobStore) -> JobStore:
    """The type checker proves that the one is the other."""
    return store


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    made = Cluster(tmp_path)
    yield made
    made.close()


@pytest.fixture(params=[Cluster, Machine], ids=["cluster", "machine"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """Each kind of store in turn."""
    made = request.param(tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="session")
def job_named() -> Callable[..., VPPOJob]:
    """Makes a job; sections of the spec are given on the wire names."""

    def make(name: str = "", namespace: str = "", **sections: Any) -> VPPOJob:
        labels = sections.pop("labels", {})
        annotations = sections.pop("annotations", {})
        spec = {
            "model": {"source": "demo://tiny"},
            "data": {"source": "demo://colours"},
            "learner": {"numSteps": 3},
            **sections,
        }
        meta = {"name": name, "namespace": namespace, "labels": labels, "annotations": annotations}
        return VPPOJob.model_validate({"metadata": meta, "spec": spec})

    return make
