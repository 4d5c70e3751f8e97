"""With Kueue: a job waits for quota, says so, and starts when there is some."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.e2e.tools import NAMESPACE, CommandFailed, Kubectl, demo_job, install, until

JOB = "waits-for-quota"
RESOURCES = ["cpu", "memory"]


def cluster_queue(cpus: str, memory: str) -> dict[str, Any]:
    quotas = [{"name": "cpu", "nominalQuota": cpus}, {"name": "memory", "nominalQuota": memory}]
    flavor = {"name": "e2e", "resources": quotas}
    return {
        "apiVersion": "kueue.x-k8s.io/v1beta2",
        "kind": "ClusterQueue",
        "metadata": {"name": "vppo-e2e"},
        "spec": {
            "namespaceSelector": {},
            "resourceGroups": [{"coveredResources": RESOURCES, "flavors": [flavor]}],
        },
    }


@pytest.fixture
def queue(release: Kubectl) -> Iterator[None]:
    """A queue without quota, and a platform whose queues are Kueue's."""
    try:
        release("get", "crd", "clusterqueues.kueue.x-k8s.io")
    except CommandFailed:
        pytest.skip("Kueue is not installed on this cluster")
    flavor = {
        "apiVersion": "kueue.x-k8s.io/v1beta2",
        "kind": "ResourceFlavor",
        "metadata": {"name": "e2e"},
    }
    local = {
        "apiVersion": "kueue.x-k8s.io/v1beta2",
        "kind": "LocalQueue",
        "metadata": {"name": "default", "namespace": NAMESPACE},
        "spec": {"clusterQueue": "vppo-e2e"},
    }
    install("--set=platform.cluster.kueue=true")
    try:
        release.apply(flavor, cluster_queue("0", "0"), local)
        yield
    finally:
        release("delete", "localqueue", "default", "--ignore-not-found")
        release("delete", "clusterqueue", "vppo-e2e", "--ignore-not-found")
        release("delete", "resourceflavor", "e2e", "--ignore-not-found")
        install()


@pytest.mark.usefixtures("queue")
def test_a_job_waits_for_quota_and_then_starts(
    release: Kubectl, rest: httpx.Client, clean: Any
) -> None:
    clean(JOB)
    release.apply(demo_job(JOB))

    def story() -> str:
        return release.story(JOB)

    def phase() -> str:
        return str(release.status(JOB).get("phase", ""))

    until("it waits", lambda: phase() == "Queued", 300, story)
    told = rest.get(f"/jobs/{JOB}/explain").json()
    assert "quota" in told["sentence"].lower(), told
    assert release.pods(JOB) == []
    assert release.status(JOB)["usage"]["gpuSecondsAllocated"] == 0
    release.apply(cluster_queue("64", "256Gi"))
    until("it starts", lambda: phase() in ("Starting", "Running"), 400, story)
    until("its pods are there", lambda: release.pods(JOB), 240, story)
