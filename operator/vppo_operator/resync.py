"""Every few minutes everything is looked at, whatever was heard: also what is gone."""

import logging
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from vppo_core.archive.errors import StoreUnavailableError
from vppo_core.kube.api import KubeApi, KubeObject
from vppo_core.kube.errors import KubeError, KubeNotFoundError
from vppo_core.kube.kinds import RAY_CLUSTERS, RAY_JOBS, VPPO_JOBS, WORKLOADS, Kind
from vppo_core.spec.platform import PlatformSpec
from vppo_operator.metrics import OperatorMetrics
from vppo_operator.parts import meta
from vppo_operator.reconcile import Reconciler
from vppo_operator.sweeper import KINDS, Sweeper
from vppo_operator.wake_ups import Job

_log = logging.getLogger(__name__)


class Resync:
    """Lists all jobs, closes the books of those that are gone, and sweeps."""

    def __init__(
        self,
        api: KubeApi,
        reconciler: Reconciler,
        metrics: OperatorMetrics,
        namespaces: Sequence[str],
    ) -> None:
        """Nothing is read yet; no namespace means all."""
        self._api = api
        self._reconciler = reconciler
        self._metrics = metrics
        self._namespaces = tuple(namespaces)
        self._sweeper = Sweeper(api, namespaces)

    def run(self, now: datetime) -> list[Job]:
        """All jobs that there are. What goes wrong besides the list is logged.

        Raises:
            KubeError: they cannot be listed.
        """
        registrar = self._reconciler.registrar
        try:
            living = registrar.living()
        except StoreUnavailableError:
            living = []  # the archive is away; next time
        jobs = list_jobs(self._api, self._namespaces)
        try:
            present = {str(meta(job)["uid"]) for job in jobs}
            registrar.close_missing(living, present, self._namespaces, now)
            registrar.expire(now)
        except (StoreUnavailableError, OSError) as error:
            _log.warning("jobs that are gone cannot be written down: %s", error)
        try:
            found = self._sweeper.sweep(jobs, now)
            kinds = [orphan.kind.name for orphan in found]
            self._metrics.set_orphans(kinds, [kind.name for kind in KINDS])
        except KubeError as error:
            _log.warning("what was left over cannot be removed: %s", error)
        return [(str(meta(job)["namespace"]), str(meta(job)["name"])) for job in jobs]


def list_jobs(api: KubeApi, namespaces: Sequence[str]) -> list[KubeObject]:
    """All job objects of the namespaces, or of all.

    Raises:
        KubeError: they cannot be listed; KubeNotFoundError: the kind is not served.
    """
    return [job for namespace in namespaces or ("",) for job in api.list(VPPO_JOBS, namespace)]


def served_kinds(
    api: KubeApi, namespaces: Sequence[str], platform: PlatformSpec
) -> tuple[Kind, ...]:
    """The kinds to watch besides jobs and pods: those that the cluster serves, and that this
    program may list. Workloads are among them only where queues are Kueue's."""
    uses_kueue = platform.cluster is not None and platform.cluster.kueue
    served = []
    for kind in (RAY_JOBS, RAY_CLUSTERS, *([WORKLOADS] if uses_kueue else [])):
        try:
            api.list(kind, (namespaces or ("",))[0], labels={"vppo.io/is-served": "no"})
        except KubeNotFoundError:
            continue
        except KubeError as error:
            _log.warning("%s cannot be listed: %s", kind.plural, error)
            continue
        served.append(kind)
    return tuple(served)


def own_namespace(account: Path) -> str:
    """The namespace of this pod; `default` outside of a cluster."""
    try:
        return account.read_text(encoding="utf-8").strip() or "default"
    except OSError:
        return "default"
