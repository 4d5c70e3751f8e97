"""How jobs run on a cluster: nodes of a pool, images, storage, and whom drivers report to."""

from typing import Annotated, Final

from pydantic import Field

from vppo_core.spec.base import SpecModel, Uri

STATE_MOUNT: Final = "/var/lib/vppo"
"""Where a job's storage is mounted in every pod: `runs/<uid>` and `cache` lie below it."""

SPEC_MOUNT: Final = "/etc/vppo"
"""Where `job.json`, `attempt.json` and `ca.crt` of an attempt lie in every pod."""

DRIVER_METRICS_PORT: Final = 9464
"""Where a driver serves `/metrics` in its pod, unless the job names a port."""

PoolName = Annotated[str, Field(max_length=40, pattern=r"^([a-z]([-a-z0-9]*[a-z0-9])?)?$")]
DnsName = Annotated[str, Field(max_length=253, pattern=r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$")]
LabelKey = Annotated[
    str,
    Field(
        max_length=316,
        pattern=r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$",
    ),
]
LabelValue = Annotated[
    str, Field(max_length=63, pattern=r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$")
]
Cidr = Annotated[str, Field(max_length=43, pattern=r"^[0-9a-f.:]+/[0-9]{1,3}$")]
Mebibytes = Annotated[int, Field(ge=16, le=2**26)]


class Toleration(SpecModel):
    """A taint that pods of a pool bear."""

    key: Annotated[str, Field(max_length=316)] = ""
    """Key of the taint; empty with `Exists` means every taint."""

    operator: Annotated[str, Field(pattern=r"^(Exists|Equal)$")] = "Exists"
    """`Exists`, or `Equal` with a value."""

    value: LabelValue = ""
    """Value of the taint, for `Equal`."""

    effect: Annotated[str, Field(pattern=r"^(NoSchedule|PreferNoSchedule|NoExecute)?$")] = ""
    """`NoSchedule`, `PreferNoSchedule`, `NoExecute`; empty means all."""


class NodePool(SpecModel):
    """Nodes of one kind: how pods get there, and what one node holds."""

    node_selector: Annotated[dict[LabelKey, LabelValue], Field(max_length=16)] = {}  # noqa: RUF012
    """Labels of the nodes."""

    tolerations: Annotated[tuple[Toleration, ...], Field(max_length=16)] = ()
    """Taints of the nodes."""

    gpu_resource: LabelKey = "nvidia.com/gpu"
    """Name under which Kubernetes counts their GPUs."""

    gpus_per_node: Annotated[int, Field(ge=0, le=64)] = 0
    """GPUs of a node; a pod never asks for more."""

    cpus_per_node: Annotated[int, Field(ge=1, le=4096)] = 8
    """CPUs of a node that pods may use."""

    memory_mib_per_node: Mebibytes = 16_384
    """Memory of a node that pods may use, MiB; a pod gets its share by GPUs, or else by CPUs."""

    cpu_request_share: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    """Share of its CPUs and memory that a pod reserves; below 1, pods may share a small node."""

    shm_mib: Mebibytes = 1024
    """Least size of `/dev/shm` in a pod, MiB, part of its memory; the Ray object store lies there,
    and a job that asks for a larger one gets that."""

    priority_class: DnsName = ""
    """PriorityClass of the pods."""

    runtime_class: DnsName = ""
    """RuntimeClass of the pods, such as `nvidia`."""

    spot: bool = False
    """Whether nodes may be taken away at short notice; their pods carry `vppo.io/spot`."""


class HeadSpec(SpecModel):
    """The pod of driver and Ray head; it runs no model."""

    cpus: Annotated[int, Field(ge=1, le=512)] = 2
    """CPUs."""

    memory_mib: Mebibytes = 8192
    """Memory, MiB."""

    pool: PoolName = ""
    """Pool that it is put on; empty means `cpuPool`, or the scheduler's choice."""


class StorageSpec(SpecModel):
    """The volume of runs and caches."""

    claim: DnsName = ""
    """PersistentVolumeClaim in the job's namespace, shared by all pods of a job. Empty means that
    files die with their pods, and `checkpoint.uri` has to name an object store."""


class ReceiverSpec(SpecModel):
    """Where drivers send what they have to say."""

    url: Uri = ""
    """Address of the operator's receiver, `https://...:8443`; empty: drivers are silent."""

    ca_file: Annotated[str, Field(max_length=1024)] = ""
    """PEM file, on the operator's side, that its certificate is signed by; attempts get a copy."""


class ClusterSpec(SpecModel):
    """How an attempt becomes pods."""

    image: Annotated[
        str, Field(min_length=1, max_length=512, pattern=r"^[A-Za-z0-9][-A-Za-z0-9._/:@]*$")
    ]
    """Image of driver and roles, by digest where it matters."""

    image_pull_policy: Annotated[str, Field(pattern=r"^(Always|IfNotPresent|Never)$")] = (
        "IfNotPresent"
    )
    """When it is pulled."""

    image_pull_secrets: Annotated[tuple[DnsName, ...], Field(max_length=8)] = ()
    """Secrets of a job's namespace that it is pulled with."""

    ray_version: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+$")] = "2.60.0"
    """Ray in the image."""

    service_account: DnsName = "default"
    """ServiceAccount of job pods in the job's namespace; it needs no rights."""

    cpu_pool: PoolName = ""
    """Pool of roles without GPUs; empty means that of the job's queue."""

    head: HeadSpec = HeadSpec()
    """Driver and Ray head."""

    storage: StorageSpec = StorageSpec()
    """Runs and caches."""

    receiver: ReceiverSpec = ReceiverSpec()
    """Whom drivers report to."""

    mlflow_uri: Uri = ""
    """MLflow of jobs that name none; empty means a SQLite file in the run's folder."""

    pre_running_deadline_seconds: Annotated[int, Field(ge=60, le=2**31 - 1)] = 1800
    """Time from admission to a running driver, after which an attempt counts as not started."""

    kueue: bool = False
    """Whether queues are Kueue's LocalQueues; otherwise pods wait for nodes by themselves."""

    network_policy: bool = True
    """Whether each attempt gets a NetworkPolicy: its pods talk to one another, and nobody but
    KubeRay and Prometheus talks to them."""

    egress_cidrs: Annotated[tuple[Cidr, ...], Field(max_length=64)] = ()
    """Addresses that pods of jobs may connect to beyond DNS, one another, the receiver and the
    chart's MLflow; empty means all."""

    scratch_mib: Mebibytes = 20_480
    """Size of `/tmp` in a pod, MiB, on the node's disk; Ray spills objects there."""

    disruption_budget: bool = True
    """Whether each attempt gets a PodDisruptionBudget for head and learner."""

    env: Annotated[
        dict[Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")], str], Field(max_length=64)
    ] = {}  # noqa: RUF012
    """Environment of every pod, by the platform's owner; users write no environment."""


def token_audience(namespace: str, job: str) -> str:
    """Audience of the token that the driver of a job reports with, and of no other."""
    return f"vppo:{namespace}/{job}"
