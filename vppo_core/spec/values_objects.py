"""Pieces of the Helm chart's values: images, claims, routes, policies, monitors."""

from typing import Annotated

from pydantic import Field, JsonValue

from vppo_core.spec.base import SpecModel
from vppo_core.spec.cluster import DnsName

Texts = dict[str, str]
"""Labels, annotations, node selectors."""

JsonObject = dict[str, JsonValue]
"""Something that Kubernetes checks, such as resources."""

JsonList = tuple[JsonObject, ...]
Ports = tuple[Annotated[int, Field(ge=1, le=65_535)], ...]
PullPolicy = Annotated[str, Field(pattern=r"^(Always|IfNotPresent|Never)$")]
AccessMode = Annotated[str, Field(pattern=r"^ReadWrite(Once|Many|OncePod)$")]
Quantity = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?(Ki|Mi|Gi|Ti|Pi|k|M|G|T|P)?$")]
Address = Annotated[str, Field(max_length=1024, pattern=r"^(https?://.+)?$")]
ANY_POD: JsonObject = {"namespaceSelector": {}}
PRIVATE = (
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "169.254.0.0/16",
    "100.64.0.0/10",
)


class Switch(SpecModel):
    """Something that is on or off."""

    enabled: bool = True


class Image(SpecModel):
    """An image."""

    repository: str = ""
    tag: str = ""
    digest: Annotated[str, Field(pattern=r"^(sha256:[0-9a-f]{64})?$")] = ""
    pull_policy: PullPolicy = "IfNotPresent"


class Claim(SpecModel):
    """A PersistentVolumeClaim."""

    size: Quantity = "10Gi"
    storage_class: DnsName = ""
    access_mode: AccessMode = "ReadWriteOnce"


class StateClaim(Claim):
    """A claim of a program, or no claim."""

    enabled: bool = True
    existing_claim: DnsName = ""


class CertManager(SpecModel):
    """The issuer of a certificate."""

    enabled: bool = False
    issuer_name: DnsName = ""
    issuer_kind: Annotated[str, Field(pattern=r"^(Issuer|ClusterIssuer)$")] = "Issuer"


class Certificate(SpecModel):
    """The receiver's certificate."""

    existing_secret: DnsName = ""
    days: Annotated[int, Field(ge=1, le=36_500)] = 3650
    cert_manager: CertManager = CertManager()


class Service(SpecModel):
    """A Service."""

    type: Annotated[str, Field(pattern=r"^(ClusterIP|NodePort|LoadBalancer)$")] = "ClusterIP"
    port: Annotated[int, Field(ge=1, le=65_535)] = 8080
    annotations: Texts = {}  # noqa: RUF012


class Ingress(SpecModel):
    """The API behind an Ingress."""

    enabled: bool = False
    class_name: DnsName = ""
    host: str = ""
    path: str = "/"
    tls_secret: DnsName = ""
    annotations: Texts = {  # noqa: RUF012
        "nginx.ingress.kubernetes.io/proxy-buffering": "off",
        "nginx.ingress.kubernetes.io/proxy-read-timeout": "3600",
        "nginx.ingress.kubernetes.io/proxy-send-timeout": "3600",
        "nginx.ingress.kubernetes.io/proxy-body-size": "4m",
    }


class HttpRoute(SpecModel):
    """The API behind a Gateway."""

    enabled: bool = False
    parent_refs: JsonList = ()
    hostnames: tuple[str, ...] = ()
    path: str = "/"
    annotations: Texts = {}  # noqa: RUF012


class ApiServer(SpecModel):
    """Where the Kubernetes API server is."""

    cidrs: tuple[str, ...] = ()
    ports: Ports = (443, 6443)


class PostgresPeer(SpecModel):
    """Where PostgreSQL is."""

    to: JsonList = ()
    port: Annotated[int, Field(ge=1, le=65_535)] = 5432


class WebhookPeers(SpecModel):
    """Where webhooks may lead."""

    enabled: bool = True
    ports: Ports = (443,)
    except_: Annotated[tuple[str, ...], Field(alias="except")] = PRIVATE


class NetworkPolicies(SpecModel):
    """Who may talk to whom."""

    enabled: bool = True
    enforced: bool = False
    api_from: JsonList = (ANY_POD,)
    monitoring_from: JsonList = (ANY_POD,)
    api_server: ApiServer = ApiServer()
    postgres: PostgresPeer = PostgresPeer()
    webhooks: WebhookPeers = WebhookPeers()
    mlflow_egress: JsonList = ()


class Rules(SpecModel):
    """Alerts."""

    enabled: bool = True
    config_map: bool = False


class Dashboards(SpecModel):
    """Grafana's dashboards."""

    enabled: bool = True
    label: Annotated[str, Field(min_length=1)] = "grafana_dashboard"
    label_value: str = "1"
    folder_annotation: Annotated[str, Field(min_length=1)] = "grafana_folder"
    folder: str = "VPPO"


class Monitoring(SpecModel):
    """What Prometheus and Grafana are told."""

    enabled: bool = False
    interval: Annotated[str, Field(pattern=r"^[1-9][0-9]*(ms|s|m)$")] = "30s"
    labels: Texts = {}  # noqa: RUF012
    jobs: bool = True
    rules: Rules = Rules()
    dashboards: Dashboards = Dashboards()
    grafana_url: Address = ""
    api_url: Address = ""
    runbooks_url: Address = ""
