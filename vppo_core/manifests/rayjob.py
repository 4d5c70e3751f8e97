"""The RayJob of an attempt.

Nothing a user wrote stands in it but the names of job, queue, priority and Secret: the driver reads
the job from the ConfigMap.
"""

import json
import math
from typing import Final

from vppo_core.kube.api import KubeObject
from vppo_core.lifecycle.offers import queue_of
from vppo_core.manifests.attempt import AttemptRequest
from vppo_core.manifests.groups import Group, groups_of
from vppo_core.manifests.labels import (
    ATTEMPT_LABEL,
    PRIORITY_LABEL,
    QUEUE_LABEL,
    metadata_of,
)
from vppo_core.manifests.pod_template import group_template, head_template, object_store_mib

ENTRYPOINT: Final = "python -m vppo_services.driver"
TTL_SECONDS: Final = 60
"""How long pods outlive the driver, so that its last files can be sent."""

DEADLINE_MARGIN_SECONDS: Final = 300
MAX_SECONDS: Final = 2**31 - 1


def ray_job(request: AttemptRequest) -> KubeObject:
    """The RayJob: one cluster, one run of the driver, no second try by KubeRay."""
    spec: KubeObject = {
        # No submitter pod: the other modes paste the entrypoint into a shell line.
        "submissionMode": "HTTPMode",
        "entrypoint": ENTRYPOINT,
        "backoffLimit": 0,
        "shutdownAfterJobFinishes": True,
        "ttlSecondsAfterFinished": TTL_SECONDS,
        "preRunningDeadlineSeconds": request.cluster.pre_running_deadline_seconds,
        **_deadline(request),
        "metadata": {ATTEMPT_LABEL: str(request.index)},
        "rayClusterSpec": _ray_cluster(request),
    }
    return {
        "apiVersion": "ray.io/v1",
        "kind": "RayJob",
        "metadata": metadata_of(request, **_kueue_labels(request)),
        "spec": spec,
    }


def _ray_cluster(request: AttemptRequest) -> KubeObject:
    groups = groups_of(request.job.spec, request.platform)
    return {
        "rayVersion": request.cluster.ray_version,
        "enableInTreeAutoscaling": False,
        "headGroupSpec": {
            "rayStartParams": {
                "num-cpus": "0",
                "num-gpus": "0",
                **_store(request, request.cluster.head.memory_mib),
            },
            "template": head_template(request),
        },
        "workerGroupSpecs": [_worker_group(request, group) for group in groups],
    }


def _worker_group(request: AttemptRequest, group: Group) -> KubeObject:
    return {
        "groupName": group.role,
        "replicas": group.pods,
        "minReplicas": group.pods,
        "maxReplicas": group.pods,
        "rayStartParams": {
            "num-cpus": str(group.cpus),
            "num-gpus": str(group.gpus),
            "resources": quoted_resources({f"vppo_{group.role}": group.processes}),
            **_store(request, group.memory_mib),
        },
        "template": group_template(request, group),
    }


def _store(request: AttemptRequest, memory_mib: int) -> dict[str, str]:
    return {"object-store-memory": str(object_store_mib(request, memory_mib) * 2**20)}


def quoted_resources(resources: dict[str, int]) -> str:
    """Ray's custom resources as KubeRay wants them: it pastes the value into a shell line, and
    reads it itself after it has cut off the outer quotes."""
    return f"'{json.dumps(resources)}'"


def _deadline(request: AttemptRequest) -> KubeObject:
    """A backstop behind the handshake, in case that the operator is away when time is up."""
    if request.active_seconds_left is None:
        return {}
    start = request.cluster.pre_running_deadline_seconds
    grace = request.job.spec.scheduling.stop_grace_seconds
    left = math.ceil(max(request.active_seconds_left, 0.0))
    seconds = left + start + grace + DEADLINE_MARGIN_SECONDS
    return {"activeDeadlineSeconds": min(seconds, MAX_SECONDS)}


def _kueue_labels(request: AttemptRequest) -> dict[str, str]:
    queue = queue_of(request.job.spec, request.platform)
    if not request.cluster.kueue or queue is None:
        return {}
    priority = request.job.spec.priority
    # As at the local door, a priority that the platform has no more counts as none.
    known = any(offer.name == priority for offer in request.platform.priorities)
    return {QUEUE_LABEL: queue.name, **({PRIORITY_LABEL: priority} if known else {})}
