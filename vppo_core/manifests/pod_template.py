"""Pods of an attempt: one template for the head, one for each group; all equally locked up."""

from dataclasses import dataclass
from typing import Any, Final

from vppo_core.kube.api import KubeObject
from vppo_core.manifests.attempt import TOKEN_MOUNT, TOKEN_NAME, AttemptRequest
from vppo_core.manifests.groups import HEAD, Group, find_pool, nodes_of
from vppo_core.manifests.labels import ROLE_LABEL, SPOT_LABEL, attempt_labels
from vppo_core.spec.cluster import DRIVER_METRICS_PORT, SPEC_MOUNT, STATE_MOUNT, NodePool

USER_ID: Final = 1000
TOKEN_SECONDS: Final = 3600
AFTER_DRAIN_SECONDS: Final = 30
"""What Ray has for its own end, after the grace that the driver has for a checkpoint."""

SHM_BESIDE_STORE_MIB: Final = 256
"""Shared memory that is left to NCCL and vLLM beside Ray's object store."""

LEAST_STORE_MIB: Final = 80
"""Ray takes no smaller object store."""

DRAIN: Final = ("python", "-m", "vppo_services.driver.drain")
HEAD_PORTS: Final = {"gcs-server": 6379, "dashboard": 8265, "client": 10_001, "metrics": 8080}
WORKER_PORTS: Final = {"metrics": 8080}
ENVIRONMENT: Final = {
    # The root is read-only; whatever writes into a home folder writes into /tmp.
    "HOME": "/tmp",
    "TMPDIR": "/tmp",
    "VPPO_CACHE": f"{STATE_MOUNT}/cache",
    "HF_HOME": f"{STATE_MOUNT}/cache/huggingface",
    "PYTHONUNBUFFERED": "1",
    # Before a pod ends, its driver has saved. Ray would wait half a minute more, for Serve alone,
    # and hold the node meanwhile.
    "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "VLLM_NO_USAGE_STATS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}
"""Environment of every pod; the platform's own goes before it."""


@dataclass(frozen=True, slots=True)
class PodSize:
    """What a pod may use."""

    cpus: int
    memory_mib: int
    gpus: int = 0


def head_template(request: AttemptRequest) -> KubeObject:
    """The pod of the driver and of Ray's head. It alone has a token, as it alone reports."""
    head = request.cluster.head
    pool = find_pool(head.pool or request.cluster.cpu_pool, request.platform)
    nodes = nodes_of(pool) if pool else NodePool()
    return _template(request, HEAD, nodes, PodSize(head.cpus, head.memory_mib), threads=head.cpus)


def group_template(request: AttemptRequest, group: Group) -> KubeObject:
    """The pods of a role."""
    size = PodSize(group.cpus, group.memory_mib, group.gpus)
    return _template(request, group.role, group.nodes, size, threads=group.process.cpus)


def driver_port(request: AttemptRequest) -> int:
    """Where the driver's own metrics are served in the head's pod."""
    return request.job.spec.tracking.metrics_port or DRIVER_METRICS_PORT


def object_store_mib(request: AttemptRequest, memory_mib: int) -> int:
    """Size of Ray's object store in a pod, MiB: what the job asks for, if that is not too much."""
    most = max(memory_mib * 3 // 10, LEAST_STORE_MIB)
    return min(request.job.spec.placement.object_store_mib, most)


def _template(
    request: AttemptRequest, role: str, nodes: NodePool, size: PodSize, *, threads: int
) -> KubeObject:
    labels = {**attempt_labels(request), ROLE_LABEL: role}
    if nodes.spot:
        labels[SPOT_LABEL] = "true"
    cluster, grace = request.cluster, request.job.spec.scheduling.stop_grace_seconds
    shm = max(nodes.shm_mib, object_store_mib(request, size.memory_mib) + SHM_BESIDE_STORE_MIB)
    spec = {
        "serviceAccountName": cluster.service_account or "default",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        # A process with the number 1 ignores SIGTERM until it says otherwise: pods that are deleted
        # while they start would hold their GPUs for the whole grace.
        "shareProcessNamespace": True,
        "terminationGracePeriodSeconds": grace + AFTER_DRAIN_SECONDS,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER_ID,
            "runAsGroup": USER_ID,
            "fsGroup": USER_ID,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(request, role, nodes, size, threads=threads)],
        "volumes": _volumes(request, role, shm_mib=shm),
        **_where(request, nodes),
    }
    return {"metadata": {"labels": labels}, "spec": spec}


def _container(
    request: AttemptRequest, role: str, nodes: NodePool, size: PodSize, *, threads: int
) -> KubeObject:
    ports = HEAD_PORTS | {"driver": driver_port(request)} if role == HEAD else WORKER_PORTS
    secret = request.job.spec.placement.secret
    return {
        "name": "ray",
        "image": request.cluster.image,
        "imagePullPolicy": request.cluster.image_pull_policy,
        "ports": [{"name": name, "containerPort": port} for name, port in ports.items()],
        "env": _environment(request, role, threads),
        **({"envFrom": [{"secretRef": {"name": secret}}]} if secret else {}),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        # On every pod: a preempted attempt loses all of them at once, and the driver can save only
        # while the learner lives.
        "lifecycle": {"preStop": {"exec": {"command": list(DRAIN)}}},
        "resources": _resources(nodes, size),
        "volumeMounts": _mounts(role),
    }


def _environment(request: AttemptRequest, role: str, threads: int) -> list[dict[str, str]]:
    # Ray ends a job that is deleted after three seconds, unless it is told otherwise.
    patience = {"RAY_JOB_STOP_WAIT_TIME_S": str(request.job.spec.scheduling.stop_grace_seconds)}
    values = {
        **ENVIRONMENT,
        **(patience if role == HEAD else {}),
        "OMP_NUM_THREADS": str(threads),
        "VPPO_IMAGE": request.cluster.image,
        **request.cluster.env,
    }
    return [{"name": name, "value": value} for name, value in values.items()]


def _resources(nodes: NodePool, size: PodSize) -> KubeObject:
    share = nodes.cpu_request_share
    gpus = {nodes.gpu_resource: str(size.gpus)} if size.gpus else {}
    millicpus, mib = int(size.cpus * 1000 * share), int(size.memory_mib * share)
    return {
        "requests": {
            "cpu": str(size.cpus) if share == 1.0 else f"{max(millicpus, 1)}m",
            "memory": f"{max(mib, 1)}Mi",
            **gpus,
        },
        "limits": {"cpu": str(size.cpus), "memory": f"{size.memory_mib}Mi", **gpus},
    }


def _mounts(role: str) -> list[dict[str, Any]]:
    token = [{"name": "token", "mountPath": TOKEN_MOUNT, "readOnly": True}]
    return [
        {"name": "spec", "mountPath": SPEC_MOUNT, "readOnly": True},
        *(token if role == HEAD else []),
        {"name": "state", "mountPath": STATE_MOUNT},
        {"name": "shm", "mountPath": "/dev/shm"},
        {"name": "tmp", "mountPath": "/tmp"},
    ]


def _volumes(request: AttemptRequest, role: str, *, shm_mib: int) -> list[dict[str, Any]]:
    claim = request.cluster.storage.claim
    source = {
        "serviceAccountToken": {
            "audience": request.audience,
            "expirationSeconds": TOKEN_SECONDS,
            "path": TOKEN_NAME,
        }
    }
    token = [{"name": "token", "projected": {"sources": [source]}}]
    return [
        {"name": "spec", "configMap": {"name": request.name}},
        *(token if role == HEAD else []),
        {
            "name": "state",
            **({"persistentVolumeClaim": {"claimName": claim}} if claim else {"emptyDir": {}}),
        },
        {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": f"{shm_mib}Mi"}},
        {"name": "tmp", "emptyDir": {"sizeLimit": f"{request.cluster.scratch_mib}Mi"}},
    ]


def _where(request: AttemptRequest, nodes: NodePool) -> KubeObject:
    """Which nodes and how urgent; what the platform does not say is left out."""
    tolerations = [
        one.model_dump(mode="json", exclude_defaults=True) | {"operator": one.operator}
        for one in nodes.tolerations
    ]
    secrets = [{"name": name} for name in request.cluster.image_pull_secrets]
    fields: KubeObject = {
        "nodeSelector": dict(nodes.node_selector),
        "tolerations": tolerations,
        "priorityClassName": nodes.priority_class,
        "runtimeClassName": nodes.runtime_class,
        "imagePullSecrets": secrets,
    }
    return {name: value for name, value in fields.items() if value}
