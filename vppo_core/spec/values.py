"""The values of the Helm chart: what may be written, and what holds where nothing is written.

`charts/vppo/values.schema.json` is printed from here, `charts/vppo/values.yaml` says the same as
these defaults; a test holds all three together.
"""

from typing import Annotated

from pydantic import Field, JsonValue

from vppo_core.spec.base import SpecModel
from vppo_core.spec.cluster import DnsName, NodePool, Toleration
from vppo_core.spec.platform import PlatformSpec, PoolOffer, PriorityOffer, QueueOffer
from vppo_core.spec.values_objects import (
    AccessMode,
    Certificate,
    Claim,
    HttpRoute,
    Image,
    Ingress,
    JsonList,
    JsonObject,
    Monitoring,
    NetworkPolicies,
    Quantity,
    Service,
    StateClaim,
    Switch,
    Texts,
)

Scope = Annotated[str, Field(pattern=r"^(namespace|cluster)$")]
ArchiveKind = Annotated[str, Field(pattern=r"^(sqlite|postgres)$")]


class Rbac(SpecModel):
    """Rights of the programs and of people."""

    create: bool = True
    scope: Scope = "namespace"
    aggregate: bool = True


class Annotations(SpecModel):
    """A ServiceAccount of the control plane."""

    annotations: Texts = {}  # noqa: RUF012


class JobAccount(SpecModel):
    """The ServiceAccount of job pods."""

    create: bool = True
    name: DnsName = ""
    annotations: Texts = {}  # noqa: RUF012


class Jobs(SpecModel):
    """What job pods are to Kubernetes."""

    service_account: JobAccount = JobAccount()


class Postgres(SpecModel):
    """Where the archive's PostgreSQL is."""

    existing_secret: DnsName = ""
    key: str = "url"
    url: str = ""
    migrate: bool = True


class Archive(SpecModel):
    """The archive."""

    kind: ArchiveKind = "sqlite"
    postgres: Postgres = Postgres()


class State(SpecModel):
    """What the control plane keeps."""

    persistence: StateClaim = StateClaim()


class Receiver(SpecModel):
    """Where drivers send their progress."""

    certificate: Certificate = Certificate()


class Program(SpecModel):
    """A container."""

    resources: JsonObject = {  # noqa: RUF012
        "requests": {"cpu": "100m", "memory": "256Mi"},
        "limits": {"memory": "1Gi"},
    }
    extra_env: JsonList = ()
    extra_env_from: JsonList = ()


class Api(Program):
    """The API."""

    replicas: Annotated[int, Field(ge=1, le=100)] = 2
    default_namespace: DnsName = ""
    service: Service = Service()
    disruption_budget: Switch = Switch()


class Operator(Program):
    """The operator."""

    replicas: Annotated[int, Field(ge=1, le=2)] = 1


class MlflowBackend(SpecModel):
    """Where MLflow keeps runs."""

    existing_secret: DnsName = ""
    key: str = "url"


class Mlflow(SpecModel):
    """A server of the release, or one elsewhere."""

    enabled: bool = False
    uri: Annotated[str, Field(max_length=1024, pattern=r"^(https?://.+)?$")] = ""
    image: Image = Image()
    backend: MlflowBackend = MlflowBackend()
    artifacts_destination: str = ""
    allowed_hosts: tuple[str, ...] = ()
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    persistence: StateClaim = StateClaim(size="20Gi")
    resources: JsonObject = {  # noqa: RUF012
        "requests": {"cpu": "100m", "memory": "512Mi"},
        "limits": {"memory": "2Gi"},
    }
    extra_env: JsonList = ()
    extra_env_from: JsonList = ()


class Storage(Claim):
    """The volume of runs and caches."""

    create: bool = False
    existing_claim: DnsName = ""
    name: Annotated[DnsName, Field(min_length=1)] = "vppo-runs"
    size: Quantity = "100Gi"
    access_mode: AccessMode = "ReadWriteMany"


class Platform(SpecModel):
    """`PlatformSpec`, but what follows from other values need not be written in `cluster`."""

    pools: tuple[PoolOffer, ...] = (
        PoolOffer(name="cpu", nodes=NodePool(cpus_per_node=4, memory_mib_per_node=8192)),
    )
    queues: tuple[QueueOffer, ...] = (QueueOffer(name="default", pool="cpu"),)
    priorities: tuple[PriorityOffer, ...] = PlatformSpec().priorities
    cluster: dict[str, JsonValue] = {}  # noqa: RUF012


class ChartValues(SpecModel):
    """All values."""

    name_override: DnsName = ""
    fullname_override: DnsName = ""
    dev: bool = False
    image: Image = Image(repository="vppo/control")
    job_image: Image = Image(repository="vppo/gpu")
    image_pull_secrets: tuple[DnsName, ...] = ()
    watch_namespaces: tuple[DnsName, ...] = ()
    rbac: Rbac = Rbac()
    service_account: Annotations = Annotations()
    jobs: Jobs = Jobs()
    platform: Platform = Platform()
    archive: Archive = Archive()
    state: State = State()
    receiver: Receiver = Receiver()
    pod_annotations: Texts = {}  # noqa: RUF012
    pod_labels: Texts = {}  # noqa: RUF012
    node_selector: Texts = {}  # noqa: RUF012
    tolerations: tuple[Toleration, ...] = ()
    affinity: JsonObject = {}  # noqa: RUF012
    priority_class_name: DnsName = ""
    api: Api = Api()
    operator: Operator = Operator()
    mlflow: Mlflow = Mlflow()
    storage: Storage = Storage()
    ingress: Ingress = Ingress()
    http_route: HttpRoute = HttpRoute()
    network_policy: NetworkPolicies = NetworkPolicies()
    monitoring: Monitoring = Monitoring()
