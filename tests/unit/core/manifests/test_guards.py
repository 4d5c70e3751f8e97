"""Who may talk to an attempt's pods, and which of them may not be evicted."""

from typing import Any

from tests.unit.core.manifests.attempts import cpu_platform, h100_platform, job_of, request_of
from vppo_core.manifests.disruption import disruption_budget
from vppo_core.manifests.network_policy import network_policy
from vppo_core.manifests.rayjob import ray_job
from vppo_core.spec.cluster import DRIVER_METRICS_PORT

OWN_PODS = {"podSelector": {"matchLabels": {"vppo.io/job": "demo", "vppo.io/attempt": "2"}}}


def ports(rules: list[dict[str, Any]], peer: dict[str, Any]) -> list[int]:
    key = "from" if "from" in rules[0] else "to"
    return [port["port"] for rule in rules if rule.get(key) == [peer] for port in rule["ports"]]


def test_pods_of_the_attempt_talk_to_one_another_on_all_ports() -> None:
    spec = network_policy(request_of(job_of(), cpu_platform()))["spec"]
    assert spec["podSelector"] == OWN_PODS["podSelector"]
    assert {"from": [OWN_PODS]} in spec["ingress"]


def test_others_reach_the_dashboard_or_metrics_only() -> None:
    spec = network_policy(request_of(job_of(), cpu_platform()))["spec"]
    kuberay = {
        "namespaceSelector": {},
        "podSelector": {"matchLabels": {"app.kubernetes.io/component": "kuberay-operator"}},
    }
    assert ports(spec["ingress"][1:], kuberay) == [8265]
    assert DRIVER_METRICS_PORT in ports(spec["ingress"][1:], {"namespaceSelector": {}})
    assert all(rule["from"] == [OWN_PODS] or "ports" in rule for rule in spec["ingress"])


def test_where_pods_may_go_is_up_to_the_platform() -> None:
    spec = network_policy(request_of(job_of(), cpu_platform()))["spec"]
    assert spec["egress"] == [{}]
    spec = network_policy(request_of(job_of(), cpu_platform(egressCidrs=["10.0.0.0/8"])))["spec"]
    assert {"to": [OWN_PODS]} in spec["egress"]
    assert {"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]} in spec["egress"]
    assert {} not in spec["egress"]
    [dns] = [rule for rule in spec["egress"] if "to" not in rule]
    assert {(port["protocol"], port["port"]) for port in dns["ports"]} == {("UDP", 53), ("TCP", 53)}
    served = [port["port"] for rule in spec["egress"] for port in rule.get("ports", [])]
    assert {8443, 5000} <= set(served)


def test_head_and_all_learner_pods_stay() -> None:
    placement = {
        "learner": {"replicas": 24, "cpus": 8, "gpus": 1},
        "rollout": {"replicas": 8, "cpus": 8, "gpus": 1},
    }
    request = request_of(job_of(placement=placement), h100_platform())
    budget = disruption_budget(request)["spec"]
    assert budget["minAvailable"] == 1 + 3
    [roles] = budget["selector"]["matchExpressions"]
    selected = budget["selector"]["matchLabels"]
    cluster = ray_job(request)["spec"]["rayClusterSpec"]
    found = [(1, cluster["headGroupSpec"]["template"])]
    found += [(group["replicas"], group["template"]) for group in cluster["workerGroupSpecs"]]
    labels = [(count, template["metadata"]["labels"]) for count, template in found]
    kept = sum(
        count
        for count, one in labels
        if one["vppo.io/role"] in roles["values"] and selected.items() <= one.items()
    )
    assert kept == budget["minAvailable"]
