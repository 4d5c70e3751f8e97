"""What a job waits for on a cluster: the platform, KubeRay, Kueue's quota, nodes, images. Pure."""

from collections.abc import Mapping
from typing import Final

from vppo_core.lifecycle.attempts import gpus_of
from vppo_core.lifecycle.observed import QueueState
from vppo_core.lifecycle.offers import queue_of
from vppo_core.lifecycle.wording import sentence
from vppo_core.spec.job import VPPOJobSpec
from vppo_core.spec.platform import PlatformSpec
from vppo_core.spec.status import QueueStatus
from vppo_operator.parts import Parts, condition, is_suspended
from vppo_operator.pod_troubles import Trouble, pod_trouble

ADMITTED: Final = "Admitted"
WAITING: Final = "WaitingForQuota"
KUBERAY_MISSING: Final = Trouble(
    "KubeRayMissing",
    "The cluster does not serve RayJobs (ray.io/v1); install KubeRay 1.6 or newer. "
    "The job starts by itself then.",
)
_KUEUE: Final[Mapping[str, str]] = {
    "ExceedsMaxQuota": "The queue '{queue}' can never hold so much",
    "NoMatchingFlavor": "No kind of node of the queue '{queue}' fits the job",
    "TopologyPlacementFailed": "Kueue finds no place where the pods are near enough to each other",
    "WaitingForPreemptedWorkloads": "The job has displaced others, which are about to end",
    "Misconfigured": "The queue '{queue}' is not set up well",
    "Inadmissible": "The queue '{queue}' does not take the job",
    "Suspended": "The queue '{queue}' is stopped",
    "PendingEvaluation": "Kueue has not looked at the job yet",
    "WaitingForPodsReady": "Kueue waits until the pods of jobs before it are ready",
    "OnHold": "Kueue holds the job back",
}
"""By the reason of `QuotaReserved=False`; reasons that are not here are told as they are."""

_ORDINARY: Final = frozenset({"", "Pending", "WaitingForQuota"})
_SAID_CHARACTERS: Final = 400


def queue_state(
    spec: VPPOJobSpec, platform: PlatformSpec, *, live: Parts | None, trouble: Trouble | None = None
) -> QueueState:
    """The job's standing.

    Args:
        live: the attempt that is there now; without one it may start at once.
        trouble: what keeps a next attempt from being made.
    """
    if live is None:
        found = _troubled(trouble, spec, platform) if trouble else None
        return found or _state(spec, platform, is_admitted=True, reason=ADMITTED)
    waiting = _without_quota(live, spec, platform)
    if waiting is not None:
        return waiting
    stuck = pod_trouble(live.pods)
    if stuck is not None:
        return _troubled(stuck, spec, platform)
    return _state(spec, platform, is_admitted=True, reason=ADMITTED)


def _without_quota(live: Parts, spec: VPPOJobSpec, platform: PlatformSpec) -> QueueState | None:
    """The standing with Kueue while it has not admitted the RayJob."""
    if not is_suspended(live.ray_job):
        return None
    if condition(live.workload, "Admitted").get("status") == "True":
        return None  # KubeRay has not woken it up yet
    quota = condition(live.workload, "QuotaReserved")
    reason = str(quota.get("reason") or "") if quota.get("status") != "True" else ""
    said = " ".join(str(quota.get("message") or "").split())[:_SAID_CHARACTERS].rstrip(".")
    queue, gpus = _queue_name(spec, platform), gpus_of(spec.placement)
    if reason in _ORDINARY:
        needs = f"quota of queue '{queue}'" + (f" for {gpus} GPUs" if gpus else "")
        why = f" ({said})" if said else ""
        return _state(spec, platform, is_admitted=False, reason=WAITING, needs=needs + why)
    known = _KUEUE.get(reason, f"Kueue does not admit the job ({reason})").format(queue=queue)
    text = sentence(f"{known}: {said}" if said else known)
    return _troubled(Trouble(reason, text), spec, platform)


def _troubled(trouble: Trouble, spec: VPPOJobSpec, platform: PlatformSpec) -> QueueState:
    return _state(
        spec, platform, is_admitted=False, reason=trouble.reason, trouble=trouble.sentence
    )


def _state(
    spec: VPPOJobSpec,
    platform: PlatformSpec,
    *,
    is_admitted: bool,
    reason: str,
    needs: str = "",
    trouble: str = "",
) -> QueueState:
    queue = queue_of(spec, platform)
    place = QueueStatus(
        name=_queue_name(spec, platform), pool=queue.pool if queue else "", reason=reason[:253]
    )
    return QueueState(is_admitted=is_admitted, status=place, needs=needs, trouble=trouble)


def _queue_name(spec: VPPOJobSpec, platform: PlatformSpec) -> str:
    queue = queue_of(spec, platform)
    return queue.name if queue else spec.scheduling.queue
