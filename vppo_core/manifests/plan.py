"""What an attempt of a job would be, before there is one."""

from typing import Any

from vppo_core.manifests.attempt import UNKNOWN_UID, AttemptRequest
from vppo_core.manifests.groups import Group, groups_of
from vppo_core.manifests.render import render
from vppo_core.spec.job import VPPOJob
from vppo_core.spec.platform import PlatformSpec

NAME = "planned"
"""Name of a job that gets its own only when it is created."""

NAMESPACE = "default"


def planned_attempt(job: VPPOJob, platform: PlatformSpec) -> dict[str, Any]:
    """The first attempt's pods by role, and the objects that it would be.

    The job must have passed `check_cluster_job`; the uid in the objects stands for one to come.
    """
    named = {"name": job.metadata.name or NAME, "namespace": job.metadata.namespace or NAMESPACE}
    request = AttemptRequest(
        job=job.model_copy(update={"metadata": job.metadata.model_copy(update=named)}),
        uid=UNKNOWN_UID,
        index=1,
        platform=platform,
        active_seconds_left=job.spec.active_deadline_seconds,
    )
    head = request.cluster.head
    return {
        "head": {"cpus": head.cpus, "memoryMib": head.memory_mib},
        "groups": [_shown(group) for group in groups_of(job.spec, platform)],
        "objects": render(request),
    }


def _shown(group: Group) -> dict[str, Any]:
    return {
        "role": group.role,
        "pool": group.pool.name,
        "pods": group.pods,
        "processesPerPod": group.processes,
        "cpusPerPod": group.cpus,
        "gpusPerPod": group.gpus,
        "memoryMibPerPod": group.memory_mib,
    }
