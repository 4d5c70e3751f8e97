"""An API server in memory, an archive, a clock, and the operator's look at one job."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tests.sim.kube_server import SimulatedServer
from vppo_core.archive.database import Database
from vppo_core.kube.api import KubeObject
from vppo_core.kube.kinds import EVENTS, RAY_JOBS, VPPO_JOBS
from vppo_core.spec.platform import PlatformSpec
from vppo_operator.reconcile import Reconciler

START = datetime.fromisoformat("2026-11-24T12:00:00+00:00")
SPEC = {
    "model": {"source": "a/b"},
    "data": {"source": "c/d"},
    "learner": {"numSteps": 9},
    "checkpoint": {"uri": "s3://bucket/runs"},
}


def platform_of(**cluster: Any) -> PlatformSpec:
    nodes = {"gpusPerNode": 8, "cpusPerNode": 64, "memoryMibPerNode": 65_536}
    return PlatformSpec.model_validate(
        {
            "pools": [{"name": "gpu", "gpus": 8, "nodes": nodes}],
            "queues": [{"name": "default", "pool": "gpu"}],
            "cluster": {"image": "vppo:1", **cluster},
        }
    )


class Bench:
    """A server, an archive, a clock and the operator's look at jobs of one namespace."""

    def __init__(self, folder: Path, db: Database | None) -> None:
        self.now = START
        self.server = SimulatedServer(now=lambda: self.now, namespaces=("team",))
        self.folder = folder
        self.db = db
        self.operator = self.begin()

    def begin(self, platform: PlatformSpec | None = None) -> Reconciler:
        self.operator = Reconciler(
            self.server,
            db=self.db,
            state=self.folder,
            platform=platform or platform_of(),
            clock=lambda: self.now,
        )
        return self.operator

    def submit(self, **spec: Any) -> str:
        body = {
            "apiVersion": VPPO_JOBS.api_version,
            "kind": VPPO_JOBS.name,
            "metadata": {"name": "demo", "namespace": "team"},
            "spec": {**SPEC, **spec},
        }
        return str(self.server.store.create(VPPO_JOBS, body)["metadata"]["uid"])

    def look(self, *, after: float = 0.0) -> float | None:
        self.now += timedelta(seconds=after)
        return self.operator.reconcile("team", "demo")

    @property
    def job(self) -> KubeObject:
        found = self.server.store.get(VPPO_JOBS, "team", "demo")
        assert found is not None
        return found

    def said(self, kind: str) -> tuple[str, str, str]:
        for one in self.job["status"]["conditions"]:
            if one["type"] == kind:
                return one["status"], one["reason"], one.get("message", "")
        return "", "", ""

    def phase(self) -> str:
        return str(self.job["status"]["phase"])

    def ray_job(self) -> KubeObject | None:
        return self.server.store.get(RAY_JOBS, "team", "demo-a1")

    def told(self) -> list[str]:
        return [one["reason"] for one in self.server.store.list(EVENTS)]
