"""The operator's loop in steps of time: what wakes it, and what it comes back to."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from tests.sim.kube_server import Killed, SimulatedServer
from vppo_core.errors import VPPOError
from vppo_core.kube.api import KubeObject
from vppo_core.kube.kinds import RAY_JOBS, VPPO_JOBS
from vppo_operator.reconcile import Reconciler

RESYNC_SECONDS = 300.0


class OperatorLoop:
    """Reconciles a job when an object of it changed, when it asked for it, and now and then.

    Args:
        make: a new operator, which knows nothing but what is written down.
    """

    def __init__(
        self,
        server: SimulatedServer,
        *,
        namespace: str,
        now: Callable[[], datetime],
        make: Callable[[], Reconciler],
    ) -> None:
        self._server = server
        self._namespace = namespace
        self._now = now
        self._make = make
        self._heard = server.subscribe()
        self._dirty: set[str] = set()
        self._due: dict[str, datetime] = {}
        self._next_resync = now()
        self.is_up = True
        self.errors: list[Exception] = []
        """What it had to try again for."""

        self.deaths = 0
        self.reconciler = make()

    def wake(self, name: str) -> None:
        """Look at a job in the next step."""
        self._dirty.add(name)

    def restart(self) -> None:
        """A new operator on the same objects, files and archive."""
        self.reconciler = self._make()
        self._due.clear()
        self._dirty.clear()
        self._next_resync = self._now()

    def step(self) -> None:
        """Look at every job that there is a reason to look at."""
        ray_jobs = self._server.store.list(RAY_JOBS)
        for change in self._heard:
            if change.type == "DELETED" or not self.reconciler.seen.has(change.object["metadata"]):
                self._dirty |= jobs_of(change.object, ray_jobs)
        self._heard.clear()
        if not self.is_up:
            return
        now = self._now()
        if now >= self._next_resync:
            self._next_resync = now + timedelta(seconds=RESYNC_SECONDS)
            self._dirty |= {one["metadata"]["name"] for one in self._server.store.list(VPPO_JOBS)}
        keys = self._dirty | {name for name, due in self._due.items() if due <= now}
        self._dirty = set()
        for name in sorted(keys):
            self._due.pop(name, None)
            self._reconcile(name)

    def _reconcile(self, name: str) -> None:
        try:
            wait = self.reconciler.reconcile(self._namespace, name)
        except Killed:
            self.deaths += 1
            self.restart()
        except (VPPOError, OSError) as error:
            self.errors.append(error)
            self._dirty.add(name)
        else:
            if wait is not None:
                self._due[name] = self._now() + timedelta(seconds=wait)


def jobs_of(one: KubeObject, ray_jobs: Sequence[KubeObject]) -> set[str]:
    """The job that an object belongs to: by name, by label, or by the RayJob that owns it."""
    if one.get("kind") == VPPO_JOBS.name:
        return {one["metadata"]["name"]}
    labels = one["metadata"].get("labels") or {}
    if "vppo.io/job" in labels:
        return {labels["vppo.io/job"]}
    owners = {owner["uid"] for owner in one["metadata"].get("ownerReferences") or []}
    return {
        job["metadata"]["labels"]["vppo.io/job"]
        for job in ray_jobs
        if job["metadata"]["uid"] in owners
    }
