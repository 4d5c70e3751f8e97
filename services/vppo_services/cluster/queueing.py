"""How full queues are: what Kueue says of its LocalQueues, or the phases of a namespace's jobs."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from vppo_core.kube.api import KubeApi, KubeObject
from vppo_core.kube.errors import KubeForbiddenError, KubeNotFoundError
from vppo_core.kube.kinds import LOCAL_QUEUES
from vppo_core.spec.platform import PlatformSpec
from vppo_core.spec.status import JobPhase
from vppo_services.cluster.answers import answered
from vppo_services.cluster.objects import meta_of, phase_of

RUNNING: Final = frozenset({JobPhase.STARTING, JobPhase.RUNNING, JobPhase.STOPPING})


def queue_rows(
    platform: PlatformSpec, objects: Sequence[KubeObject], local_queues: Mapping[str, KubeObject]
) -> list[dict[str, Any]]:
    """`{name, pool, waiting, running}` for each queue of the platform. Pure.

    Args:
        objects: the VPPOJobs of the namespace.
        local_queues: by name; they know of workloads that are no VPPOJobs, too.
    """
    counted = _counted(platform, objects)
    rows = []
    for offer in platform.queues:
        waiting, running = counted[offer.name, False], counted[offer.name, True]
        known = (local_queues.get(offer.name) or {}).get("status") or {}
        rows.append(
            {
                "name": offer.name,
                "pool": offer.pool,
                "waiting": int(known.get("pendingWorkloads", waiting)),
                "running": int(known.get("reservingWorkloads", running)),
            }
        )
    return rows


def local_queues_of(kube: KubeApi, namespace: str) -> dict[str, KubeObject]:
    """Kueue's queues of a namespace by name; none where Kueue is not, or may not be read.

    Raises:
        StoreUnavailableError.
    """
    with answered():
        try:
            found = kube.list(LOCAL_QUEUES, namespace)
        except (KubeNotFoundError, KubeForbiddenError):
            return {}
    return {str(meta_of(one)["name"]): one for one in found}


def _counted(platform: PlatformSpec, objects: Sequence[KubeObject]) -> Counter[tuple[str, bool]]:
    counted: Counter[tuple[str, bool]] = Counter()
    for one in objects:
        phase = phase_of(one)
        if phase.is_final or phase is JobPhase.PAUSED:
            continue
        scheduling = (one.get("spec") or {}).get("scheduling") or {}
        name = scheduling.get("queue") or platform.queues[0].name
        counted[name, phase in RUNNING] += 1
    return counted
