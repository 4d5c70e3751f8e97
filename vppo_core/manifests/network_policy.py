"""The NetworkPolicy of an attempt: no selector says "same job", so each attempt has its own."""

from typing import Any, Final

from vppo_core.kube.api import KubeObject
from vppo_core.manifests.attempt import AttemptRequest
from vppo_core.manifests.labels import metadata_of, pod_selector
from vppo_core.manifests.pod_template import driver_port

KUBERAY_LABELS: Final = {"app.kubernetes.io/component": "kuberay-operator"}
RECEIVER_LABELS: Final = {"vppo.io/serves-receiver": "true"}
MLFLOW_LABELS: Final = {"vppo.io/serves-mlflow": "true"}
DASHBOARD_PORT: Final = 8265
METRICS_PORTS: Final = (8080, 44_217, 44_227)
RECEIVER_PORT: Final = 8443
MLFLOW_PORT: Final = 5000
DNS_PORT: Final = 53


def network_policy(request: AttemptRequest) -> KubeObject:
    """Pods of the attempt talk to one another on every port.

    From outside, KubeRay reaches Ray's dashboard and anybody in the cluster the metrics; they reach
    everything, or, with `egressCidrs`, only DNS, our receiver and MLflow, and those addresses.
    """
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata_of(request),
        "spec": {
            "podSelector": {"matchLabels": pod_selector(request)},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [
                {"from": [_own_pods(request)]},
                {"from": [_anywhere(KUBERAY_LABELS)], "ports": _tcp(DASHBOARD_PORT)},
                {"from": [_anywhere()], "ports": _tcp(*METRICS_PORTS, driver_port(request))},
            ],
            "egress": _egress(request),
        },
    }


def _egress(request: AttemptRequest) -> list[dict[str, Any]]:
    cidrs = request.cluster.egress_cidrs
    if not cidrs:
        return [{}]
    dns = [{"protocol": protocol, "port": DNS_PORT} for protocol in ("UDP", "TCP")]
    return [
        {"to": [_own_pods(request)]},
        {"ports": dns},
        {"to": [_anywhere(RECEIVER_LABELS)], "ports": _tcp(RECEIVER_PORT)},
        {"to": [_anywhere(MLFLOW_LABELS)], "ports": _tcp(MLFLOW_PORT)},
        {"to": [{"ipBlock": {"cidr": cidr}} for cidr in cidrs]},
    ]


def _own_pods(request: AttemptRequest) -> dict[str, Any]:
    return {"podSelector": {"matchLabels": pod_selector(request)}}


def _anywhere(labels: dict[str, str] | None = None) -> dict[str, Any]:
    pods = {"podSelector": {"matchLabels": dict(labels)}} if labels else {}
    return {"namespaceSelector": {}, **pods}


def _tcp(*ports: int) -> list[dict[str, Any]]:
    return [{"protocol": "TCP", "port": port} for port in ports]
