"""What people see and do with kubectl."""

import subprocess
from typing import Any

import pytest

from tests.integration.kube.server import ApiServer
from vppo_core.kube.client import KubeClient
from vppo_core.kube.kinds import VPPO_JOBS

STATUS: dict[str, Any] = {
    "phase": "Running",
    "attempt": 2,
    "progress": {"step": 12, "totalSteps": 200, "display": "12/200"},
    "queue": {"name": "gpu", "pool": "h100"},
    "usage": {"gpus": 8},
    "conditions": [
        {
            "type": "Running",
            "status": "True",
            "reason": "Training",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }
    ],
}


@pytest.fixture
def job(kube: KubeClient, namespace: str) -> str:
    """Namespace of a job `demo` that runs."""
    spec = {"model": {"source": "m"}, "data": {"source": "d"}}
    body = {"apiVersion": "vppo.io/v1alpha1", "kind": "VPPOJob", "spec": spec}
    kube.create(VPPO_JOBS, body | {"metadata": {"name": "demo", "namespace": namespace}})
    kube.patch(VPPO_JOBS, namespace, "demo", {"status": STATUS}, subresource="status")
    return namespace


def test_the_columns(server: ApiServer, job: str) -> None:
    wide = "application/json;as=Table;v=v1;g=meta.k8s.io"
    with server.http() as http:
        table = http.get(VPPO_JOBS.path(job), headers={"Accept": wide}).json()
    names = [column["name"] for column in table["columnDefinitions"]]
    assert names == ["Name", "Phase", "Step", "Attempt", "Queue", "GPUs", "Reason", "Age"]
    [row] = table["rows"]
    assert row["cells"][:7] == ["demo", "Running", "12/200", 2, "gpu", 8, "Training"]


def test_get_by_short_name_and_category(server: ApiServer, job: str) -> None:
    header, row = server.kubectl("get", "vj", "-n", job).splitlines()
    assert header.split() == ["NAME", "PHASE", "STEP", "ATTEMPT", "QUEUE", "GPUS", "AGE"]
    assert row.split()[:4] == ["demo", "Running", "12/200", "2"]
    assert "vppojob.vppo.io/demo" in server.kubectl("get", "vppo", "-n", job, "-o", "name")


def test_explain_tells_what_a_field_means(server: ApiServer) -> None:
    text = server.kubectl("explain", "vj.spec.algorithm.tokenKeepRatio")
    assert "Fraction of response tokens" in text
    text = server.kubectl("explain", "vppojobs.status.progress")
    assert "etaSeconds" in text
    assert "<float>" in text or "<number>" in text


def test_wait_for_phase_and_condition(server: ApiServer, kube: KubeClient, job: str) -> None:
    ended = {
        "phase": "Failed",
        "conditions": [
            {
                "type": "Finished",
                "status": "True",
                "reason": "Failed",
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }
        ],
    }
    phase = "--for=jsonpath={.status.phase}=Failed"
    waiting = [
        subprocess.Popen(
            [
                *(str(server.assets / "kubectl"), "--kubeconfig", str(server.kubeconfig())),
                *("wait", wanted, "vj/demo", "-n", job, "--timeout=30s"),
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        for wanted in (phase, "--for=condition=Finished")
    ]
    kube.patch(VPPO_JOBS, job, "demo", {"status": ended}, subresource="status")
    for child in waiting:
        text, _ = child.communicate(timeout=40)
        assert child.returncode == 0
        assert "condition met" in text


def test_apply_asks_for_strict_fields(server: ApiServer, job: str) -> None:
    path = server.folder / "wrong.yaml"
    path.write_text(
        "apiVersion: vppo.io/v1alpha1\nkind: VPPOJob\nmetadata: {name: wrong}\n"
        "spec: {model: {source: m}, data: {source: d}, rollout: {groupsize: 4}}\n"
    )
    with pytest.raises(AssertionError, match=r"unknown field .?.spec\.rollout\.groupsize"):
        server.kubectl("apply", "-n", job, "-f", str(path))
