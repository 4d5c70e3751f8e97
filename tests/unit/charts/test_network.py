"""Who may talk to whom: nobody, but for these."""

from typing import Any

import pytest

from tests.unit.charts.rendering import Document, of_kind, of_profile, pods_of, selects

JOB_PODS = {"matchExpressions": [{"key": "vppo.io/job", "operator": "Exists"}]}


def ports(rules: list[Document]) -> set[int]:
    return {port["port"] for rule in rules for port in rule["ports"]}


def policy(profile: str, name: str) -> dict[str, Any]:
    spec: dict[str, Any] = of_kind(of_profile(profile), "NetworkPolicy")[f"vppo-{name}"]["spec"]
    return spec


@pytest.mark.parametrize("profile", ["default", "kind", "h100", "postgres"])
def test_every_pod_that_stays_is_closed_first(profile: str) -> None:
    deny = policy(profile, "deny")
    assert "ingress" not in deny
    assert "egress" not in deny
    assert deny["policyTypes"] == ["Ingress", "Egress"]
    for name, pod in pods_of(of_profile(profile)).items():
        is_test = name.startswith("Pod/")
        assert selects(deny["podSelector"], pod["metadata"]["labels"]) != is_test, name


def test_the_receiver_is_open_to_job_pods_of_the_watched_namespaces_only() -> None:
    progress = policy("two-namespaces", "operator")["ingress"][0]
    assert ports([progress]) == {8443}
    assert progress["from"] == [
        {
            "podSelector": JOB_PODS,
            "namespaceSelector": {
                "matchExpressions": [
                    {
                        "key": "kubernetes.io/metadata.name",
                        "operator": "In",
                        "values": ["team-a", "team-b"],
                    }
                ]
            },
        }
    ]
    everywhere = policy("whole-cluster", "operator")["ingress"][0]
    assert everywhere["from"] == [{"podSelector": JOB_PODS, "namespaceSelector": {}}]


def test_the_programs_reach_names_api_server_and_database() -> None:
    assert ports(policy("default", "operator")["egress"]) == {53, 443, 6443, 8265}
    assert ports(policy("postgres", "operator")["egress"]) == {53, 443, 6443, 5432, 8265}
    assert ports(policy("postgres", "api")["egress"]) == {53, 443, 6443, 5432}
    assert ports(policy("kind", "api")["egress"]) == {53, 443, 6443, 5000}
    assert ports(policy("postgres", "migrate")["egress"]) == {53, 5432}


def test_webhooks_lead_to_public_addresses() -> None:
    blocks = [
        peer["ipBlock"]
        for rule in policy("default", "api")["egress"]
        for peer in rule.get("to", [])
        if "ipBlock" in peer
    ]
    assert [block["cidr"] for block in blocks] == ["0.0.0.0/0"]
    assert "169.254.0.0/16" in blocks[0]["except"]


def test_the_api_and_metrics_are_open_to_whom_the_values_name() -> None:
    names = [
        peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
        for peer in policy("h100", "api")["ingress"][0]["from"]
    ]
    assert names == ["ingress-nginx", "monitoring"]


def test_mlflow_answers_jobs_and_reaches_its_database_only() -> None:
    mlflow = policy("h100", "mlflow")
    assert ports(mlflow["ingress"]) == {5000}
    assert any(peer.get("podSelector") == JOB_PODS for peer in mlflow["ingress"][0]["from"])
    assert ports(mlflow["egress"]) == {53, 5432}
    assert ports(policy("kind", "mlflow")["egress"]) == {53}
