"""A real API server takes the objects of an attempt, field by field."""

import os
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.kube.comparing import holds
from tests.unit.core.manifests.golden import requests
from vppo_core.kube.client import KubeClient
from vppo_core.kube.errors import BadObjectError, KubeError
from vppo_core.kube.kinds import CUSTOM_RESOURCES, NAMESPACES, PODS, RAY_JOBS
from vppo_core.manifests.attempt import AttemptRequest
from vppo_core.manifests.render import kind_of, render

REQUESTS = requests()


def placed(rendered: dict[str, Any], namespace: str) -> dict[str, Any]:
    """The object in the namespace of the test."""
    return rendered | {"metadata": rendered["metadata"] | {"namespace": namespace}}


def templates(request: AttemptRequest) -> list[dict[str, Any]]:
    cluster = render(request)[-1]["spec"]["rayClusterSpec"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    return [group["template"] for group in groups]


@pytest.mark.parametrize("name", REQUESTS)
def test_the_parts_beside_the_ray_job_are_created(
    name: str, kube: KubeClient, namespace: str
) -> None:
    for one in render(REQUESTS[name])[:-1]:
        made = kube.create(kind_of(one), placed(one, namespace))
        stored = made.get("spec") or made["data"]
        assert stored == (one.get("spec") or one["data"])


@pytest.mark.parametrize("name", REQUESTS)
def test_pods_pass_the_restricted_standard(name: str, kube: KubeClient, namespace: str) -> None:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    kube.patch(NAMESPACES, "", namespace, {"metadata": {"labels": labels}})
    pods = templates(REQUESTS[name])
    assert len(pods) == 5
    for number, template in enumerate(pods):
        spec = dict(template["spec"])
        # Classes are objects of a cluster, which this server does not have.
        spec.pop("priorityClassName", None)
        spec.pop("runtimeClassName", None)
        metadata = template["metadata"] | {"name": f"pod-{number}", "namespace": namespace}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
        kube.create(PODS, pod, dry_run=True)


@pytest.fixture(scope="module")
def kuberay(kube: KubeClient) -> KubeClient:
    """A server that serves RayJobs, as the release of KubeRay in a folder defines them."""
    folder = os.environ.get("VPPO_KUBERAY_CRDS", "")
    if not folder:
        pytest.skip("VPPO_KUBERAY_CRDS names no folder with the CRDs of KubeRay")
    [path] = Path(folder).glob("*rayjobs*.yaml")
    crd = yaml.load(path.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    kube.create(CUSTOM_RESOURCES, crd)
    deadline = time.monotonic() + 30
    while True:
        try:
            kube.list(RAY_JOBS)
            return kube
        except KubeError:
            assert time.monotonic() < deadline
            time.sleep(0.1)


@pytest.mark.parametrize("name", REQUESTS)
def test_kuberay_knows_every_field(name: str, kuberay: KubeClient, namespace: str) -> None:
    ray_job = placed(render(REQUESTS[name])[-1], namespace)
    made = kuberay.create(RAY_JOBS, ray_job)
    assert holds(made["spec"], ray_job["spec"])


def test_a_field_that_kuberay_does_not_know_is_refused(kuberay: KubeClient, namespace: str) -> None:
    ray_job = placed(render(REQUESTS["attempt-demo.yaml"])[-1], namespace)
    ray_job["spec"] = ray_job["spec"] | {"backofLimit": 0}
    with pytest.raises(BadObjectError, match="backofLimit"):
        kuberay.create(RAY_JOBS, ray_job)
