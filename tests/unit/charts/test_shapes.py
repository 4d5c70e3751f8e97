"""The two shapes of the control plane, and what follows from a value elsewhere."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.unit.charts.rendering import (
    CHART,
    MONITORS,
    NAMESPACE,
    POSTGRES,
    PROFILES,
    ROOT,
    containers_of,
    documents,
    environment_of,
    helm,
    of_kind,
    of_profile,
    platform_of,
    pods_of,
)
from vppo_core.manifests.check import check_cluster_job
from vppo_core.manifests.pod_template import HEAD_PORTS
from vppo_core.spec.loading import load_job


def test_with_sqlite_everything_that_opens_the_file_is_one_pod() -> None:
    objects = of_profile("default")
    deployment = of_kind(objects, "Deployment")["vppo"]
    assert deployment["spec"]["replicas"] == 1
    assert deployment["spec"]["strategy"] == {"type": "Recreate"}
    containers = {one["name"]: one for one in deployment["spec"]["template"]["spec"]["containers"]}
    assert set(containers) == {"api", "operator"}
    api, operator = (environment_of(containers[name]) for name in ("api", "operator"))
    assert api["API_DATABASE"] == operator["OPERATOR_DATABASE_URL"]
    assert api["API_DATABASE"].startswith(f"sqlite:///{api['API_STATE']}/")
    assert api["API_STATE"] == operator["OPERATOR_STATE"]
    assert len(of_kind(objects, "PodDisruptionBudget")) == 0


@pytest.mark.parametrize("profile", ["default", "kind", "test"])
def test_with_sqlite_the_number_of_replicas_is_not_a_choice(profile: str) -> None:
    objects = documents(*PROFILES[profile], "--set=api.replicas=5")
    assert of_kind(objects, "Deployment")["vppo"]["spec"]["replicas"] == 1


def test_with_postgres_the_api_is_two_and_the_operator_one() -> None:
    objects = of_profile("h100")
    deployments = of_kind(objects, "Deployment")
    assert set(deployments) == {"vppo-api", "vppo-operator", "vppo-mlflow"}
    api, operator = (deployments[f"vppo-{name}"]["spec"] for name in ("api", "operator"))
    assert (api["replicas"], api["strategy"]["type"]) == (2, "RollingUpdate")
    assert (operator["replicas"], operator["strategy"]["type"]) == (1, "Recreate")
    assert api["template"]["spec"]["topologySpreadConstraints"]
    assert "vppo-api" in of_kind(objects, "PodDisruptionBudget")
    for name, variable in (("api", "API_DATABASE"), ("operator", "OPERATOR_DATABASE_URL")):
        assert environment_of(containers_of(objects)[name])[variable] == {
            "secretKeyRef": {"name": "vppo-database", "key": "url"}
        }


def test_two_operators_are_rolled_because_a_lease_keeps_them_apart() -> None:
    spec = of_kind(of_profile("two-operators"), "Deployment")["vppo-operator"]["spec"]
    assert (spec["replicas"], spec["strategy"]["type"]) == (2, "RollingUpdate")


@pytest.mark.parametrize("profile", PROFILES)
def test_the_platform_is_one_that_the_programs_accept(profile: str) -> None:
    platform = platform_of(of_profile(profile))
    assert platform.cluster is not None
    assert platform.cluster.receiver.url == f"https://vppo-operator.{NAMESPACE}.svc:8443"
    assert platform.cluster.receiver.ca_file == "/etc/vppo-receiver/ca.crt"


def test_what_a_job_gets_follows_from_the_other_values() -> None:
    objects = of_profile("test")
    cluster = platform_of(objects).cluster
    assert cluster is not None
    assert cluster.image == "localhost/vppo:test"
    assert cluster.mlflow_uri == f"http://vppo-mlflow.{NAMESPACE}.svc:5000"
    assert cluster.storage.claim == "vppo-runs"
    assert cluster.storage.claim in of_kind(objects, "PersistentVolumeClaim")
    assert cluster.service_account in of_kind(objects, "ServiceAccount")
    assert cluster.network_policy
    assert not cluster.kueue


def test_what_the_platform_says_itself_wins() -> None:
    objects = documents(
        "--set=platform.cluster.mlflowUri=https://elsewhere",
        "--set=platform.cluster.receiver.url=https://outside:8443",
        "--set=networkPolicy.enabled=false",
        "--set=mlflow.enabled=true",
    )
    cluster = platform_of(objects).cluster
    assert cluster is not None
    assert cluster.mlflow_uri == "https://elsewhere"
    assert cluster.receiver.url == "https://outside:8443"
    assert cluster.receiver.ca_file
    assert not cluster.network_policy
    assert not of_kind(objects, "NetworkPolicy")


def test_an_image_is_named_by_digest_where_there_is_one() -> None:
    digest = "sha256:" + "0" * 64
    objects = documents(f"--set=image.digest={digest}", "--set=image.tag=ignored")
    assert containers_of(objects)["api"]["image"] == f"vppo/control@{digest}"


def test_job_pods_have_an_account_in_each_namespace_that_is_watched() -> None:
    objects = of_profile("two-namespaces")
    accounts = set(of_kind(objects, "ServiceAccount"))
    assert {"team-a/vppo-job", "team-b/vppo-job"} <= accounts
    operator, api = (environment_of(containers_of(objects)[name]) for name in ("operator", "api"))
    assert operator["OPERATOR_NAMESPACES"] == api["API_NAMESPACES"] == "team-a,team-b"
    assert api["API_NAMESPACE"] == "team-a"
    everywhere = of_profile("whole-cluster")
    cluster = platform_of(everywhere).cluster
    assert cluster is not None
    assert cluster.service_account == "default"
    assert environment_of(containers_of(everywhere)["operator"])["OPERATOR_NAMESPACES"] == ""


def test_the_migration_brings_a_database_up_to_date(tmp_path: Path) -> None:
    job = of_kind(documents(*POSTGRES), "Job")["vppo-migrate"]
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-upgrade"
    command = job["spec"]["template"]["spec"]["containers"][0]["command"]
    file = tmp_path / "vppo.db"
    subprocess.run(
        [sys.executable, *command[1:]],
        env=os.environ | {"DATABASE": f"sqlite:///{file}"},
        check=True,
    )
    assert file.stat().st_size > 0
    assert not of_kind(of_profile("default"), "Job")


def test_mlflow_is_called_by_its_service_name_and_from_localhost() -> None:
    objects = of_profile("kind")
    environment = environment_of(containers_of(objects)["mlflow"])
    hosts = environment["MLFLOW_SERVER_ALLOWED_HOSTS"].split(",")
    assert {"vppo-mlflow", "vppo-mlflow:*", "vppo-mlflow.*", "vppo-mlflow.*:*"} <= set(hosts)
    assert {"localhost:*", "127.0.0.1:*"} <= set(hosts)
    assert environment["MLFLOW_BACKEND_STORE_URI"].startswith("sqlite:///")
    assert environment_of(containers_of(of_profile("h100"))["mlflow"])[
        "MLFLOW_BACKEND_STORE_URI"
    ] == {"secretKeyRef": {"name": "vppo-mlflow", "key": "url"}}


def test_streams_pass_through_ingress_and_gateway() -> None:
    ingress = of_kind(of_profile("ingress"), "Ingress")["vppo-api"]
    annotations = ingress["metadata"]["annotations"]
    assert annotations["nginx.ingress.kubernetes.io/proxy-buffering"] == "off"
    assert int(annotations["nginx.ingress.kubernetes.io/proxy-read-timeout"]) >= 3600
    assert ingress["spec"]["rules"][0]["host"] == ingress["spec"]["tls"][0]["hosts"][0]
    route = of_kind(of_profile("gateway"), "HTTPRoute")["vppo-api"]
    assert route["spec"]["rules"][0]["timeouts"] == {"request": "0s", "backendRequest": "0s"}


def test_monitors_are_made_where_the_cluster_knows_them() -> None:
    switch = "--set=monitoring.enabled=true"
    without = {one["kind"] for one in documents(switch)}
    assert not without & {"ServiceMonitor", "PodMonitor"}
    objects = documents(switch, *MONITORS)
    services = of_kind(objects, "Service")
    for name, monitor in of_kind(objects, "ServiceMonitor").items():
        wanted = monitor["spec"]["selector"]["matchLabels"]
        found = [
            one for one in services.values() if wanted.items() <= one["metadata"]["labels"].items()
        ]
        assert len(found) == 1, name
        ports = {port["name"] for port in found[0]["spec"]["ports"]}
        assert {one["port"] for one in monitor["spec"]["endpoints"]} <= ports
    pods = of_kind(objects, "PodMonitor")["vppo-jobs"]["spec"]
    assert pods["namespaceSelector"] == {"matchNames": [NAMESPACE]}
    assert [one["port"] for one in pods["podMetricsEndpoints"][:2]] == ["metrics", "driver"]
    addresses = [
        rule["replacement"]
        for endpoint in pods["podMetricsEndpoints"]
        for rule in endpoint["relabelings"]
        if rule.get("targetLabel") == "__address__"
    ]
    assert addresses == ["$1:44217", "$1:44227"]
    declared = HEAD_PORTS.keys() | {"driver"}
    assert {one["port"] for one in pods["podMetricsEndpoints"]} <= declared


def test_pods_take_what_their_owner_adds() -> None:
    objects = documents(
        "--set=priorityClassName=high",
        "--set=podAnnotations.team=vision",
        "--set=imagePullSecrets={registry}",
        "--set=api.extraEnv[0].name=API_RATE,api.extraEnv[0].value=5.5",
        "--set-json=tolerations=" + json.dumps([{"key": "cpu", "operator": "Exists"}]),
    )
    pod = pods_of(objects)["Deployment/vppo"]
    assert pod["spec"]["priorityClassName"] == "high"
    assert pod["spec"]["imagePullSecrets"] == [{"name": "registry"}]
    assert pod["spec"]["tolerations"] == [{"key": "cpu", "operator": "Exists"}]
    assert pod["metadata"]["annotations"]["team"] == "vision"


def test_the_environments_of_the_helmfile_have_their_values() -> None:
    environments, releases = yaml.safe_load_all((ROOT / "helm" / "helmfile.yaml").read_text())
    for name in environments["environments"]:
        assert (ROOT / "helm" / "values" / f"{name}.yaml").is_file()
    names = [release["name"] for release in releases["releases"]]
    control = ["kuberay-operator", "kueue", "vppo-crds", "vppo"]
    assert names == [*control, "prometheus", "grafana"]


def test_the_example_of_kueue_has_the_queues_and_priorities_of_its_profile() -> None:
    text = (ROOT / "helm" / "examples" / "cluster" / "kueue.yaml").read_text()
    objects = list(yaml.safe_load_all(text))
    platform = platform_of(of_profile("h100"))
    queues = {one["metadata"]["name"] for one in objects if one["kind"] == "LocalQueue"}
    assert queues == {queue.name for queue in platform.queues}
    priorities = {
        one["metadata"]["name"]: one["value"]
        for one in objects
        if one["kind"] == "WorkloadPriorityClass"
    }
    assert priorities == {one.name: one.value for one in platform.priorities}


def test_a_release_of_another_name_bears_both_names() -> None:
    done = helm("template", "other", str(CHART), f"--namespace={NAMESPACE}")
    names = {one["metadata"]["name"] for one in yaml.safe_load_all(done.stdout) if one}
    assert "other-vppo-api" in names


@pytest.mark.parametrize(
    ("profile", "example"),
    [
        ("kind", "demo-vppo"),
        ("test", "demo-vppo"),
        ("test", "demo-grpo"),
        ("h100", "vppo-qwen25-vl-7b"),
        ("h100", "vppo-qwen25-vl-32b"),
        ("h100", "qwen25-vl-7b-h100"),
    ],
)
def test_an_example_runs_on_the_cluster_as_it_is(profile: str, example: str) -> None:
    job = load_job((ROOT / "helm" / "examples" / f"{example}.yaml").read_text())
    placed = job.metadata.model_copy(update={"namespace": NAMESPACE})
    platform = platform_of(of_profile(profile))
    check_cluster_job(job.model_copy(update={"metadata": placed}), platform)
