"""A whole cluster in steps: API server, KubeRay, Kueue, nodes, drivers, and the operator's loop.

    world = World(folder)
    world.submit("demo", steps=12)
    world.run_until("demo", "Succeeded")

After every step the world checks what must hold at any time; see `check`.
"""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.sim.clock import Clock
from tests.sim.crew import Crew
from tests.sim.driver import PlayedDriver, Reply, Script
from tests.sim.invariants import Invariants
from tests.sim.kube_server import SimulatedServer
from tests.sim.kuberay import KubeRay
from tests.sim.kueue import Kueue
from tests.sim.loop import RESYNC_SECONDS, OperatorLoop
from tests.sim.mortal import MortalDatabase
from tests.sim.nodes import Nodes
from tests.sim.platform import platform_of
from tests.sim.storage import Changes
from vppo_core.archive.database import open_database
from vppo_core.kube.api import KubeObject
from vppo_core.kube.kinds import PODS, RAY_CLUSTERS, RAY_JOBS, VPPO_JOBS, WORKLOADS
from vppo_core.runs.files import StopFile
from vppo_core.runs.folder import RunFolder
from vppo_core.runs.protocol import AttemptFile
from vppo_core.spec.platform import PlatformSpec
from vppo_core.spec.status import VPPOJobStatus
from vppo_operator.reconcile import Reconciler

HOME = "default"


class World:
    """Everything that a job meets.

    Args:
        folder: with an archive `vppo.db`; everything else is made in it.
        kueue: whether queues are Kueue's.
        has_archive: whether the operator has one.
    """

    def __init__(
        self,
        folder: Path,
        *,
        kueue: bool = False,
        has_archive: bool = True,
        platform: PlatformSpec | None = None,
    ) -> None:
        self.clock = Clock()
        self.server = SimulatedServer(now=self.clock)
        self.store = self.server.store
        self.store.pods_linger = True
        self.nodes = Nodes(self.store, self.clock)
        self.kueue = Kueue(self.store, self.clock) if kueue else None
        self.state, self.volume = folder / "state", folder / "volume"
        self.state.mkdir()
        self.volume.mkdir()
        self.db_url = f"sqlite:///{folder / 'vppo.db'}"
        self.db: MortalDatabase | None = MortalDatabase(self.db_url) if has_archive else None
        self.platform = platform or platform_of(kueue=kueue)
        self.receiver_is_up = True
        self.uids: list[str] = []
        """Of all jobs that were ever submitted."""

        self.crew = Crew(
            self.store, self.clock, volume=self.volume, state=self.state, receive=self._receive
        )
        self.kuberay = KubeRay(self.store, self.clock, self.crew.start)
        self.everything: Changes = self.server.subscribe()
        """Every change of an object, never emptied."""

        self.invariants = Invariants(self)
        self.operator = OperatorLoop(
            self.server, namespace=HOME, now=self.clock, make=self._new_reconciler
        )

    def close(self) -> None:
        """Close the archive."""
        if self.db is not None:
            self.db.close()

    # What people do

    def submit(self, name: str = "demo", *, steps: int = 12, **spec: Any) -> KubeObject:
        """Create a VPPOJob; sections are given on the wire names."""
        whole: dict[str, Any] = {
            "model": {"source": "org/model"},
            "data": {"source": "org/data"},
            "learner": {"numSteps": steps},
        }
        for section, values in spec.items():
            is_section = isinstance(values, Mapping) and section in whole
            whole[section] = {**whole[section], **values} if is_section else values
        body = {
            "apiVersion": VPPO_JOBS.api_version,
            "kind": VPPO_JOBS.name,
            "metadata": {"name": name, "namespace": HOME},
            "spec": whole,
        }
        made = self.store.create(VPPO_JOBS, body)
        self.uids.append(made["metadata"]["uid"])
        return made

    def change(self, name: str = "demo", **spec: Any) -> None:
        """Patch the spec."""
        self.store.patch(VPPO_JOBS, HOME, name, {"spec": spec})

    def delete(self, name: str = "demo") -> None:
        """Delete the VPPOJob."""
        self.store.delete(VPPO_JOBS, HOME, name)

    def script(self, name: str = "demo", **values: Any) -> Script:
        """How drivers of a job behave from now on."""
        script = self.crew.script(name)
        for field, value in values.items():
            setattr(script, field, value)
        return script

    # Time

    def step(self, seconds: float = 10.0) -> None:
        """Let time go by: the operator, then KubeRay, Kueue, nodes, drivers; then check."""
        self.clock.advance(seconds)
        self.operator.step()
        self.invariants.check()
        self.kuberay.step()
        if self.kueue is not None:
            self.kueue.step()
        self.nodes.step()
        self.kuberay.forget_dead_heads()
        self.crew.step()
        self.invariants.check()

    def steps(self, count: int, seconds: float = 10.0) -> None:
        """Several steps."""
        for _ in range(count):
            self.step(seconds)

    def run_until(self, name: str, *phases: str, limit: int = 150) -> VPPOJobStatus:
        """Step until the job is in one of the phases.

        Raises:
            AssertionError: it is not after `limit` steps.
        """
        return self.run_while(lambda: self.phase(name) not in phases, name, limit=limit)

    def run_to_step(self, step: int, name: str = "demo", *, limit: int = 150) -> VPPOJobStatus:
        """Step until the status tells of a training step."""
        return self.run_while(lambda: self.status(name).progress.step < step, name, limit=limit)

    def run_while(
        self, holds: Callable[[], bool], name: str = "demo", *, limit: int = 150
    ) -> VPPOJobStatus:
        """Step as long as something holds."""
        for _ in range(limit):
            if not holds():
                return self.status(name)
            self.step()
        raise AssertionError(f"still so after {limit} steps: {self.story(name)}")

    def settle(self, limit: int = 60) -> None:
        """Step until no VPPOJob changes any more, for longer than a resync takes."""
        quiet = 0
        for _ in range(limit):
            before = [one["metadata"]["resourceVersion"] for one in self.store.list(VPPO_JOBS)]
            self.step(60)
            after = [one["metadata"]["resourceVersion"] for one in self.store.list(VPPO_JOBS)]
            quiet = quiet + 1 if before == after else 0
            if quiet * 60 > RESYNC_SECONDS:
                return

    # What is there

    def job(self, name: str = "demo") -> KubeObject | None:
        """The VPPOJob."""
        return self.store.get(VPPO_JOBS, HOME, name)

    def status(self, name: str = "demo") -> VPPOJobStatus:
        """Its status; an empty one while there is none."""
        job = self.job(name) or {}
        return VPPOJobStatus.model_validate_json(json.dumps(job.get("status") or {}))

    def phase(self, name: str = "demo") -> str:
        """Its phase; `Gone` for no object."""
        return self.status(name).phase.value if self.job(name) else "Gone"

    def reason(self, kind: str, name: str = "demo") -> tuple[str, str]:
        """Status and reason of a condition."""
        for one in self.status(name).conditions:
            if one.type.value == kind:
                return one.status.value, one.reason
        return "", ""

    def ray_job(self, index: int, name: str = "demo") -> KubeObject:
        """The RayJob of an attempt.

        Raises:
            AssertionError: there is none.
        """
        found = self.store.get(RAY_JOBS, HOME, f"{name}-a{index}")
        assert found is not None, f"{name} has no attempt {index}: {self.story(name)}"
        return found

    def pods(self, name: str = "demo", role: str | None = None) -> list[KubeObject]:
        """Pods of a job."""
        labels = {"vppo.io/job": name, **({"vppo.io/role": role} if role else {})}
        return list(self.store.list(PODS, HOME, labels=labels))

    def driver(self) -> PlayedDriver:
        """The driver that runs."""
        alive = [one for one in self.crew.drivers if one.job_status == "RUNNING"]
        assert len(alive) == 1, f"one driver must run, got {len(alive)}"
        return alive[0]

    def driver_runs(self) -> bool:
        """Whether a driver runs."""
        return any(one.job_status == "RUNNING" for one in self.crew.drivers)

    def driver_steps(self) -> int:
        """Steps that the last driver did."""
        return self.crew.drivers[-1].steps_done

    def mirror(self, uid: str) -> RunFolder:
        """The run folder in the operator's state."""
        return RunFolder(self.state / "jobs" / uid)

    def lose_state(self) -> None:
        """Empty the operator's folder; the archive is not in it."""
        shutil.rmtree(self.state, ignore_errors=True)
        self.state.mkdir()

    def lose_archive(self) -> None:
        """Put an empty archive into the place of the old one."""
        assert self.db is not None
        self.db.close()
        path = Path(self.db_url.removeprefix("sqlite:///"))
        self.db_url = f"sqlite:///{path.with_name('new.db')}"
        open_database(self.db_url).close()
        self.db = MortalDatabase(self.db_url)

    def leftovers(self, name: str = "demo") -> list[str]:
        """What of a job uses or holds anything: RayJobs, clusters, pods, workloads."""
        left = [one["metadata"]["name"] for one in self.pods(name)]
        labels = {"vppo.io/job": name}
        for kind in (RAY_JOBS, RAY_CLUSTERS):
            left += [one["metadata"]["name"] for one in self.store.list(kind, HOME, labels=labels)]
        return left + [one["metadata"]["name"] for one in self.store.list(WORKLOADS)]

    def live(self, name: str = "demo") -> set[str]:
        """Attempts that train or may train."""
        return self.invariants.live_attempts().get(name, set())

    def story(self, name: str = "demo") -> str:
        """Where a job stands, for messages of tests."""
        status = self.status(name)
        attempts = [
            f"{one.index}:{one.outcome}/{one.failure_class}/{one.message}"
            for one in status.attempts
        ]
        conditions = [f"{one.type}={one.status}/{one.reason}" for one in status.conditions]
        rayjobs = [
            (one["metadata"]["name"], one.get("status", {})) for one in self.store.list(RAY_JOBS)
        ]
        return f"{self.phase(name)} {attempts} {conditions} {rayjobs} {self.operator.errors[-2:]}"

    def _new_reconciler(self) -> Reconciler:
        return Reconciler(
            self.server,
            db=self.db,
            state=self.state,
            platform=self.platform,
            clock=self.clock,
        )

    def _receive(self, attempt: AttemptFile) -> Reply:
        if not self.receiver_is_up or not self.operator.is_up:
            return Reply(is_up=False)
        job = self.job(attempt.job)
        ray_job = self.store.get(RAY_JOBS, HOME, f"{attempt.job}-a{attempt.attempt}")
        if job is None or job["metadata"]["uid"] != attempt.uid or ray_job is None:
            return Reply(is_gone=True)
        self.operator.wake(attempt.job)
        return Reply(stop=StopFile.read(self.mirror(attempt.uid).stop(attempt.attempt)))
