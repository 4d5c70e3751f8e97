"""An operator in this process on a real API server, which may die right after any of its calls."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from tests.integration.kube.operators import PLATFORM
from tests.sim.kube_server import Killed
from vppo_core.archive.database import open_database
from vppo_core.kube.api import KubeApi, KubeObject
from vppo_core.kube.kinds import Kind
from vppo_core.runs.files import ProgressFile, write_json
from vppo_core.runs.folder import RunFolder
from vppo_core.spec.platform import PlatformSpec
from vppo_operator.reconcile import Reconciler

Answer = TypeVar("Answer")


class MortalApi:
    """A `KubeApi` whose calls are counted, and of which one may be the last.

    Args:
        dies_after: raise `Killed` when so many calls were answered; None: never.
        changes_only: count no calls that read, or that changed nothing.
    """

    def __init__(
        self, api: KubeApi, *, dies_after: int | None = None, changes_only: bool = False
    ) -> None:
        self._api = api
        self._left = dies_after
        self._changes_only = changes_only
        self.calls = 0

    def get(self, kind: Kind, namespace: str, name: str) -> KubeObject | None:
        return self._read(lambda: self._api.get(kind, namespace, name))

    def list(
        self, kind: Kind, namespace: str = "", *, labels: Mapping[str, str | None] | None = None
    ) -> Sequence[KubeObject]:
        return self._read(lambda: self._api.list(kind, namespace, labels=labels))

    def create(self, kind: Kind, body: KubeObject, *, dry_run: bool = False) -> KubeObject:
        call = self._read if dry_run else self._done
        return call(lambda: self._api.create(kind, body, dry_run=dry_run))

    def patch(
        self, kind: Kind, namespace: str, name: str, body: KubeObject, *, subresource: str = ""
    ) -> KubeObject:
        return self._done(
            lambda: self._api.patch(kind, namespace, name, body, subresource=subresource)
        )

    def delete(
        self, kind: Kind, namespace: str, name: str, *, uid: str = "", in_background: bool = True
    ) -> bool:
        return self._done(
            lambda: self._api.delete(kind, namespace, name, uid=uid, in_background=in_background)
        )

    def pod_log(self, namespace: str, pod: str, *, container: str = "", tail: int = 1000) -> str:
        return self._read(lambda: self._api.pod_log(namespace, pod, container=container, tail=tail))

    def _read(self, act: Callable[[], Answer]) -> Answer:
        return act() if self._changes_only else self._done(act)

    def _done(self, act: Callable[[], Answer]) -> Answer:
        has_changed = False
        try:
            answer = act()
            has_changed = answer is not False  # there was something to delete
            return answer
        finally:
            if has_changed or not self._changes_only:
                self._count_down()

    def _count_down(self) -> None:
        self.calls += 1
        if self._left is not None:
            self._left -= 1
            if self._left <= 0:
                raise Killed


class SteppedOperator:
    """Looks at the job `demo` of a namespace when it is told to, and after a death as a new one.

    Args:
        folder: what outlives it: archive, and what drivers sent.
        lives: the API server of its first life, of its second one, and so on; then, of the last.
    """

    def __init__(self, folder: Path, namespace: str, lives: Callable[[], KubeApi]) -> None:
        self.now = datetime.now(UTC)
        self.deaths = 0
        self._namespace = namespace
        self._lives = lives
        self._state = folder
        self._db = open_database(f"sqlite:///{folder / 'vppo.db'}")
        self._reconciler = self._begin()

    def look_until(self, holds: Callable[[], bool]) -> None:
        """Look again and again, ten seconds apart, until something is so."""
        for _ in range(100):
            if holds():
                return
            self.look()
            self.now += timedelta(seconds=10)
        raise AssertionError("it does not get there")

    def look(self) -> None:
        """Look at the job once; die over it, perhaps."""
        try:
            self._reconciler.reconcile(self._namespace, "demo")
        except Killed:
            self.deaths += 1
            self._reconciler = self._begin()

    def report(self, uid: str, step: int, steps: int) -> None:
        """Leave what the driver of attempt 1 would have sent: that it did a step."""
        progress = ProgressFile(
            attempt=1,
            incarnation="one",
            first_step=1,
            step=step,
            total_steps=steps,
            stage="rollout",
            time=self.now,
        )
        write_json(RunFolder.of(self._state / "jobs", uid).progress(1), progress)

    def close(self) -> None:
        """Close the archive."""
        self._db.close()

    def _begin(self) -> Reconciler:
        return Reconciler(
            self._lives(),
            db=self._db,
            state=self._state,
            platform=PlatformSpec.model_validate(PLATFORM),
            clock=lambda: self.now,
        )
