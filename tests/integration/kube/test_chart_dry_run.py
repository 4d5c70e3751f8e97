"""The chart on a real API server: every profile is taken, and a release keeps what it must keep."""

import os
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.integration.kube.server import ApiServer
from tests.unit.charts.rendering import CHART, HELM, NAMESPACE, PROFILES, documents
from vppo_core.kube.client import KubeClient
from vppo_core.kube.kinds import NAMESPACES, VPPO_JOBS, Kind

# Kinds of other projects, which this server does not know.
FOREIGN = {"ServiceMonitor", "PodMonitor", "PrometheusRule", "HTTPRoute", "Certificate"}
SECRETS = Kind("", "v1", "secrets", "Secret")


@pytest.fixture(scope="module")
def strict(server: ApiServer, kube: KubeClient) -> ApiServer:
    """A server whose namespaces complain about pods that are not restricted."""
    labels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
    for name in (NAMESPACE, "team-a", "team-b"):
        body = {"apiVersion": "v1", "kind": "Namespace"}
        kube.create(NAMESPACES, body | {"metadata": {"name": name, "labels": labels}})
    return server


@pytest.mark.parametrize("profile", PROFILES)
def test_the_server_takes_every_object_of_a_profile_without_a_warning(
    strict: ApiServer, tmp_path: Path, profile: str
) -> None:
    objects = [one for one in documents(*PROFILES[profile]) if one["kind"] not in FOREIGN]
    path = tmp_path / "objects.yaml"
    path.write_text(yaml.safe_dump_all(objects))
    done = subprocess.run(
        [
            *(str(strict.assets / "kubectl"), "--kubeconfig", str(strict.kubeconfig())),
            *("apply", "--dry-run=server", "--validate=strict", "-f", str(path)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout.count("(server dry run)") == len(objects)


@pytest.fixture
def release(server: ApiServer, namespace: str) -> "Release":
    return Release(server, namespace)


class Release:
    """`helm` in a namespace of its own; nothing runs, since the server has no nodes."""

    def __init__(self, server: ApiServer, namespace: str) -> None:
        self.namespace = namespace
        self._environment = os.environ | {
            "KUBECONFIG": str(server.kubeconfig()),
            "HELM_CACHE_HOME": str(server.folder / "helm"),
        }

    def helm(self, *arguments: str) -> str:
        done = subprocess.run(
            [str(HELM), f"--namespace={self.namespace}", *arguments],
            capture_output=True,
            text=True,
            check=False,
            env=self._environment,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def upgrade(self, *options: str) -> str:
        # Cluster-wide objects for people are made by one release of a cluster.
        return self.helm(
            "upgrade", "--install", "vppo", str(CHART), "--set=rbac.aggregate=false", *options
        )


def test_certificate_volumes_and_jobs_outlive_upgrade_and_uninstall(
    release: Release, kube: KubeClient
) -> None:
    notes = release.upgrade("--set=storage.create=true")
    assert "kubectl" in notes
    first = kube.get(SECRETS, release.namespace, "vppo-receiver")["data"]
    spec = {"model": {"source": "m"}, "data": {"source": "d"}}
    body = {"apiVersion": "vppo.io/v1alpha1", "kind": "VPPOJob", "spec": spec}
    kube.create(VPPO_JOBS, body | {"metadata": {"name": "demo", "namespace": release.namespace}})
    release.upgrade("--set=storage.create=true", "--set=api.resources.limits.memory=2Gi")
    assert kube.get(SECRETS, release.namespace, "vppo-receiver")["data"] == first
    release.helm("uninstall", "vppo")
    claims = Kind("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim")
    kept = {one["metadata"]["name"] for one in kube.list(claims, release.namespace)}
    assert kept == {"vppo-state", "vppo-runs"}
    assert kube.get(VPPO_JOBS, release.namespace, "demo")
    assert kube.list(Kind("apps", "v1", "deployments", "Deployment"), release.namespace) == []
    release.upgrade("--set=storage.create=true")
    assert kube.get(SECRETS, release.namespace, "vppo-receiver")["data"] == first
    release.helm("uninstall", "vppo")


def test_the_rights_hold_on_the_server(release: Release, server: ApiServer) -> None:
    release.upgrade(
        "--set=archive.kind=postgres",
        "--set=archive.postgres.existingSecret=db",
        "--set=state.persistence.enabled=false",
    )

    def may(account: str, verb: str, resource: str, namespace: str = release.namespace) -> bool:
        part = ""
        if resource.endswith("/status"):
            resource, _, part = resource.partition("/")
        who = f"--as=system:serviceaccount:{release.namespace}:{account}"
        done = subprocess.run(
            [
                *(str(server.assets / "kubectl"), "--kubeconfig", str(server.kubeconfig())),
                *("auth", "can-i", verb, resource, f"--subresource={part}", who),
                *("-n", namespace),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout.strip() == "yes"

    assert may("vppo-operator", "patch", "vppojobs.vppo.io/status")
    assert may("vppo-operator", "create", "tokenreviews.authentication.k8s.io")
    assert may("vppo-operator", "update", "leases.coordination.k8s.io")
    assert may("vppo-operator", "get", "customresourcedefinitions/vppojobs.vppo.io")
    assert not may("vppo-operator", "get", "customresourcedefinitions/rayjobs.ray.io")
    assert not may("vppo-operator", "create", "vppojobs.vppo.io")
    assert not may("vppo-operator", "list", "vppojobs.vppo.io", "default")
    assert may("vppo-api", "create", "vppojobs.vppo.io")
    assert may("vppo-api", "create", "subjectaccessreviews.authorization.k8s.io")
    assert not may("vppo-api", "patch", "vppojobs.vppo.io/status")
    assert not may("vppo-api", "create", "rayjobs.ray.io")
    for account in ("vppo-api", "vppo-operator", "vppo-job"):
        assert not may(account, "get", "secrets")
    assert not may("vppo-job", "get", "pods")
    release.helm("uninstall", "vppo")
