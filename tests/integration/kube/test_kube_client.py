"""The client of the project against a real API server."""

import socket
from typing import Any

import pytest

from tests.integration.kube.server import ApiServer, free_ports
from vppo_core.kube import client as client_module
from vppo_core.kube.client import KubeClient
from vppo_core.kube.errors import (
    AlreadyExistsError,
    BadObjectError,
    KubeConflictError,
    KubeForbiddenError,
    KubeNotFoundError,
    KubeUnavailableError,
)
from vppo_core.kube.kinds import (
    ACCESS_REVIEWS,
    CONFIG_MAPS,
    PODS,
    RAY_JOBS,
    TOKEN_REVIEWS,
    VPPO_JOBS,
    WORKLOADS,
)


def config_map(namespace: str, name: str, **labels: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace, "labels": labels}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": "b"}}


def job(namespace: str, name: str = "demo", **spec: Any) -> dict[str, Any]:
    whole = {"model": {"source": "m"}, "data": {"source": "d"}, **spec}
    metadata = {"name": name, "namespace": namespace}
    return {
        "apiVersion": "vppo.io/v1alpha1",
        "kind": "VPPOJob",
        "metadata": metadata,
        "spec": whole,
    }


def test_get_gives_the_object_or_none(kube: KubeClient, namespace: str) -> None:
    made = kube.create(CONFIG_MAPS, config_map(namespace, "one"))
    assert kube.get(CONFIG_MAPS, namespace, "one") == made
    assert kube.get(CONFIG_MAPS, namespace, "two") is None
    assert kube.get(CONFIG_MAPS, "nowhere", "one") is None


def test_a_list_has_all_pages_and_whole_items(
    kube: KubeClient, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "PAGE", 3)
    for number in range(8):
        kube.create(CONFIG_MAPS, config_map(namespace, f"c{number}", parity=str(number % 2)))
    found = kube.list(CONFIG_MAPS, namespace)
    names = {item["metadata"]["name"] for item in found}
    assert names >= {f"c{number}" for number in range(8)}
    assert {(item["apiVersion"], item["kind"]) for item in found} == {("v1", "ConfigMap")}
    odd = kube.list(CONFIG_MAPS, namespace, labels={"parity": "1"})
    assert [item["metadata"]["name"] for item in odd] == ["c1", "c3", "c5", "c7"]
    assert len(kube.list(CONFIG_MAPS, namespace, labels={"parity": None})) == 8
    everywhere = kube.list(CONFIG_MAPS, labels={"parity": "0"})
    assert {item["metadata"]["namespace"] for item in everywhere} == {namespace}


def test_a_list_of_a_kind_that_is_not_served(kube: KubeClient, namespace: str) -> None:
    with pytest.raises(KubeNotFoundError):
        kube.list(WORKLOADS, namespace)
    assert kube.get(RAY_JOBS, namespace, "x") is None


def test_creating_twice(kube: KubeClient, namespace: str) -> None:
    kube.create(VPPO_JOBS, job(namespace))
    with pytest.raises(AlreadyExistsError, match="already exists") as caught:
        kube.create(VPPO_JOBS, job(namespace))
    assert not isinstance(caught.value, KubeConflictError)


def test_a_dry_run_checks_and_keeps_nothing(kube: KubeClient, namespace: str) -> None:
    planned = kube.create(VPPO_JOBS, job(namespace), dry_run=True)
    assert planned["spec"]["rollout"]["groupSize"] == 8
    assert kube.get(VPPO_JOBS, namespace, "demo") is None
    with pytest.raises(BadObjectError, match=r"unknown field .*spec\.rolout"):
        kube.create(VPPO_JOBS, job(namespace, rolout={}), dry_run=True)
    with pytest.raises(BadObjectError, match="must divide"):
        kube.create(VPPO_JOBS, job(namespace, rollout={"promptsPerStep": 3}), dry_run=True)


def test_creating_in_no_namespace(kube: KubeClient) -> None:
    with pytest.raises(KubeNotFoundError, match="nowhere"):
        kube.create(VPPO_JOBS, job("nowhere"))


def test_a_patch_merges_and_null_removes(kube: KubeClient, namespace: str) -> None:
    kube.create(VPPO_JOBS, job(namespace, priority="high"))
    patch = {"metadata": {"annotations": {"a": "b"}}, "spec": {"desiredState": "Paused"}}
    patched = kube.patch(VPPO_JOBS, namespace, "demo", patch)
    assert patched["spec"]["desiredState"] == "Paused"
    assert patched["spec"]["priority"] == "high"
    assert patched["metadata"]["generation"] == 2
    patched = kube.patch(VPPO_JOBS, namespace, "demo", {"metadata": {"annotations": {"a": None}}})
    assert "annotations" not in patched["metadata"]
    assert patched["metadata"]["generation"] == 2


def test_a_patch_of_an_older_object(kube: KubeClient, namespace: str) -> None:
    made = kube.create(VPPO_JOBS, job(namespace))
    version = {"metadata": {"resourceVersion": made["metadata"]["resourceVersion"]}}
    kube.patch(VPPO_JOBS, namespace, "demo", version | {"spec": {"priority": "high"}})
    with pytest.raises(KubeConflictError, match="has been modified"):
        kube.patch(VPPO_JOBS, namespace, "demo", version | {"spec": {"priority": "low"}})
    with pytest.raises(KubeConflictError):
        kube.patch(
            VPPO_JOBS,
            namespace,
            "demo",
            version | {"status": {"phase": "Queued"}},
            subresource="status",
        )


def test_a_wrong_patch(kube: KubeClient, namespace: str) -> None:
    kube.create(VPPO_JOBS, job(namespace))
    with pytest.raises(BadObjectError, match=r"spec\.seed is immutable"):
        kube.patch(VPPO_JOBS, namespace, "demo", {"spec": {"seed": 1}})
    with pytest.raises(KubeNotFoundError):
        kube.patch(VPPO_JOBS, namespace, "other", {"spec": {"priority": "low"}})
    with pytest.raises(BadObjectError, match="bogus"):
        kube.patch(VPPO_JOBS, namespace, "demo", {"status": {"bogus": 1}}, subresource="status")


def test_the_status_is_written_apart(kube: KubeClient, namespace: str) -> None:
    kube.create(VPPO_JOBS, job(namespace))
    both = {"spec": {"priority": "high"}, "status": {"phase": "Queued"}}
    patched = kube.patch(VPPO_JOBS, namespace, "demo", both, subresource="status")
    assert (patched["spec"]["priority"], patched["status"]) == ("", {"phase": "Queued"})
    assert patched["metadata"]["generation"] == 1


def test_delete_means_this_very_object(kube: KubeClient, namespace: str) -> None:
    uid = kube.create(CONFIG_MAPS, config_map(namespace, "one"))["metadata"]["uid"]
    with pytest.raises(KubeConflictError):
        kube.delete(CONFIG_MAPS, namespace, "one", uid="00000000-0000-0000-0000-000000000000")
    assert kube.get(CONFIG_MAPS, namespace, "one") is not None
    assert kube.delete(CONFIG_MAPS, namespace, "one", uid=uid)
    assert not kube.delete(CONFIG_MAPS, namespace, "one", uid=uid)
    assert kube.get(CONFIG_MAPS, namespace, "one") is None


def test_a_finalizer_keeps_a_deleted_object(kube: KubeClient, namespace: str) -> None:
    body = job(namespace)
    body["metadata"]["finalizers"] = ["vppo.io/attempt"]
    kube.create(VPPO_JOBS, body)
    assert kube.delete(VPPO_JOBS, namespace, "demo")
    found = kube.get(VPPO_JOBS, namespace, "demo")
    assert found is not None
    assert found["metadata"]["deletionTimestamp"]
    kube.patch(VPPO_JOBS, namespace, "demo", {"metadata": {"finalizers": None}})
    assert kube.get(VPPO_JOBS, namespace, "demo") is None


def test_who_may_not_is_told_so(server: ApiServer, namespace: str) -> None:
    lena = server.kube("lena-token")
    with pytest.raises(KubeForbiddenError, match=r'"lena" cannot list'):
        lena.list(VPPO_JOBS, namespace)
    with pytest.raises(KubeForbiddenError):
        lena.get(VPPO_JOBS, namespace, "demo")
    with pytest.raises(KubeForbiddenError) as caught:
        server.kube("no-such-token").list(VPPO_JOBS, namespace)
    assert caught.value.status == 401


def test_reviews_are_answered(kube: KubeClient) -> None:
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview"}
    answer = kube.create(TOKEN_REVIEWS, review | {"spec": {"token": "lena-token"}})
    assert answer["status"]["authenticated"] is True
    assert answer["status"]["user"]["username"] == "lena"
    answer = kube.create(TOKEN_REVIEWS, review | {"spec": {"token": "other"}})
    assert not answer["status"].get("authenticated")
    wish = {"namespace": "default", "verb": "create", "group": "vppo.io", "resource": "vppojobs"}
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview"}
    answer = kube.create(
        ACCESS_REVIEWS, review | {"spec": {"user": "lena", "resourceAttributes": wish}}
    )
    assert answer["status"]["allowed"] is False


def test_the_log_of_a_pod_that_has_none_is_empty(kube: KubeClient, namespace: str) -> None:
    assert kube.pod_log(namespace, "no-such-pod") == ""
    container = {"name": "ray", "image": "example"}
    pod = {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [container]}}
    kube.create(PODS, pod | {"metadata": {"name": "waits", "namespace": namespace}})
    assert kube.pod_log(namespace, "waits") == ""


def test_a_server_that_is_away(server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "url", f"https://127.0.0.1:{free_ports(1)[0]}")
    with pytest.raises(KubeUnavailableError, match="must answer"):
        server.kube().list(VPPO_JOBS)


def test_a_server_that_is_silent(server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        monkeypatch.setattr(server, "url", f"https://127.0.0.1:{deaf.getsockname()[1]}")
        silent = server.kube(timeout_seconds=1)
        with pytest.raises(KubeUnavailableError, match="must answer"):
            silent.get(VPPO_JOBS, "default", "demo")


def test_a_kubeconfig_is_enough(server: ApiServer, namespace: str) -> None:
    path = str(server.kubeconfig())
    assert KubeClient.from_environment(kubeconfig=path).list(VPPO_JOBS, namespace) == []
    with pytest.raises(KubeUnavailableError, match="KUBECONFIG"):
        KubeClient.from_environment(kubeconfig=path, context="other")
