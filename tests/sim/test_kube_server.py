"""The API server in memory keeps the rules that the operator relies on."""

from datetime import UTC, datetime

import pytest

from tests.sim.kube_server import Killed, SimulatedServer
from tests.sim.merge import merged
from vppo_core.kube.api import KubeApi, KubeObject
from vppo_core.kube.errors import (
    AlreadyExistsError,
    BadObjectError,
    KubeConflictError,
    KubeForbiddenError,
    KubeNotFoundError,
    KubeUnavailableError,
)
from vppo_core.kube.kinds import (
    CONFIG_MAPS,
    NAMESPACES,
    PODS,
    RAY_CLUSTERS,
    RAY_JOBS,
    VPPO_JOBS,
    Kind,
)


@pytest.fixture
def server() -> SimulatedServer:
    return SimulatedServer(now=lambda: datetime(2026, 11, 1, tzinfo=UTC))


def body(kind: Kind, name: str, **more: object) -> KubeObject:
    head = {"name": name, "namespace": "default", **more.pop("metadata", {})}  # type: ignore[dict-item]
    return {"apiVersion": kind.api_version, "kind": kind.name, "metadata": head, **more}


def owned_by(owner: KubeObject) -> dict[str, object]:
    head = owner["metadata"]
    reference = {"apiVersion": owner["apiVersion"], "kind": owner["kind"]}
    return {
        "ownerReferences": [
            reference | {"name": head["name"], "uid": head["uid"], "blockOwnerDeletion": True}
        ]
    }


def version(one: KubeObject) -> int:
    return int(one["metadata"]["resourceVersion"])


@pytest.mark.parametrize(
    ("old", "change", "new"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patches_follow_rfc_7396(old: object, change: object, new: object) -> None:
    assert merged(old, change) == new


def test_it_is_the_protocol(server: SimulatedServer) -> None:
    api: KubeApi = server
    assert api.get(VPPO_JOBS, "default", "x") is None


def test_creation_sets_what_the_server_sets_and_drops_the_status(server: SimulatedServer) -> None:
    made = server.create(VPPO_JOBS, body(VPPO_JOBS, "x", spec={"a": 1}, status={"phase": "X"}))
    assert "status" not in made
    assert made["metadata"]["generation"] == 1
    assert made["metadata"]["creationTimestamp"] == "2026-11-01T00:00:00Z"
    with pytest.raises(AlreadyExistsError):
        server.create(VPPO_JOBS, body(VPPO_JOBS, "x"))
    with pytest.raises(KubeNotFoundError):
        server.create(VPPO_JOBS, body(VPPO_JOBS, "y", metadata={"namespace": "nowhere"}))


def test_a_dry_run_makes_nothing(server: SimulatedServer) -> None:
    server.create(VPPO_JOBS, body(VPPO_JOBS, "x"), dry_run=True)
    assert server.list(VPPO_JOBS) == []


def test_answers_are_copies(server: SimulatedServer) -> None:
    server.create(VPPO_JOBS, body(VPPO_JOBS, "x", spec={"a": 1}))["spec"]["a"] = 2
    server.list(VPPO_JOBS)[0]["spec"]["a"] = 3
    found = server.get(VPPO_JOBS, "default", "x")
    assert found is not None
    assert found["spec"] == {"a": 1}


def test_spec_and_status_are_patched_apart(server: SimulatedServer) -> None:
    server.create(VPPO_JOBS, body(VPPO_JOBS, "x", spec={"a": 1}))
    change = {"spec": {"a": 2}, "status": {"phase": "Running"}}
    through_status = server.patch(VPPO_JOBS, "default", "x", change, subresource="status")
    assert through_status["spec"] == {"a": 1}
    assert through_status["status"] == {"phase": "Running"}
    assert through_status["metadata"]["generation"] == 1
    change["status"] = {"phase": "Failed"}
    main = server.patch(VPPO_JOBS, "default", "x", change)
    assert main["spec"] == {"a": 2}
    assert main["status"] == {"phase": "Running"}
    assert main["metadata"]["generation"] == 2


def test_labels_do_not_raise_the_generation_and_nothing_new_is_no_write(
    server: SimulatedServer,
) -> None:
    server.create(RAY_JOBS, body(RAY_JOBS, "x", spec={"a": 1}))
    labelled = server.patch(RAY_JOBS, "default", "x", {"metadata": {"labels": {"a": "b"}}})
    again = server.patch(RAY_JOBS, "default", "x", {"metadata": {"labels": {"a": "b"}}})
    assert labelled["metadata"]["generation"] == 1
    assert version(again) == version(labelled)


def test_a_stale_resource_version_or_another_uid_is_a_conflict(server: SimulatedServer) -> None:
    old = server.create(VPPO_JOBS, body(VPPO_JOBS, "x", spec={}))["metadata"]
    server.patch(VPPO_JOBS, "default", "x", {"spec": {"a": 1}})
    for field in ({"resourceVersion": old["resourceVersion"]}, {"uid": "another"}):
        with pytest.raises(KubeConflictError):
            server.patch(VPPO_JOBS, "default", "x", {"metadata": field, "spec": {"a": 2}})
    with pytest.raises(KubeConflictError):
        server.delete(VPPO_JOBS, "default", "x", uid="another")
    with pytest.raises(KubeNotFoundError):
        server.patch(VPPO_JOBS, "default", "none", {})


def test_a_finalizer_holds_a_deleted_object(server: SimulatedServer) -> None:
    server.create(VPPO_JOBS, body(VPPO_JOBS, "x", metadata={"finalizers": ["a/b"]}))
    assert server.delete(VPPO_JOBS, "default", "x")
    held = server.get(VPPO_JOBS, "default", "x")
    assert held is not None
    assert held["metadata"]["deletionTimestamp"]
    with pytest.raises(BadObjectError, match="no new finalizers"):
        server.patch(VPPO_JOBS, "default", "x", {"metadata": {"finalizers": ["a/b", "c/d"]}})
    server.patch(VPPO_JOBS, "default", "x", {"metadata": {"deletionTimestamp": None}})
    server.patch(VPPO_JOBS, "default", "x", {"metadata": {"finalizers": None}})
    assert server.get(VPPO_JOBS, "default", "x") is None
    assert not server.delete(VPPO_JOBS, "default", "x")


def test_what_belongs_to_a_deleted_object_goes_with_it(server: SimulatedServer) -> None:
    job = server.create(VPPO_JOBS, body(VPPO_JOBS, "x"))
    ray = server.create(RAY_JOBS, body(RAY_JOBS, "x-a1", metadata=owned_by(job)))
    held = owned_by(ray) | {"finalizers": ["a/b"]}
    server.create(RAY_CLUSTERS, body(RAY_CLUSTERS, "x-a1-c", metadata=held))
    server.create(CONFIG_MAPS, body(CONFIG_MAPS, "other"))
    server.delete(VPPO_JOBS, "default", "x")
    assert server.list(RAY_JOBS) == []
    assert "deletionTimestamp" in server.list(RAY_CLUSTERS)[0]["metadata"]
    assert len(server.list(CONFIG_MAPS)) == 1


def test_garbage_waits_for_its_collector(server: SimulatedServer) -> None:
    server.store.collects_garbage = False
    job = server.create(VPPO_JOBS, body(VPPO_JOBS, "x"))
    server.create(RAY_JOBS, body(RAY_JOBS, "x-a1", metadata=owned_by(job)))
    server.delete(VPPO_JOBS, "default", "x")
    assert len(server.list(RAY_JOBS)) == 1
    server.store.collect_garbage()
    assert server.list(RAY_JOBS) == []


def test_foreground_deletion_waits_for_what_belongs_to_it(server: SimulatedServer) -> None:
    job = server.create(RAY_JOBS, body(RAY_JOBS, "x"))
    held = owned_by(job) | {"finalizers": ["a/b"]}
    server.create(RAY_CLUSTERS, body(RAY_CLUSTERS, "x-c", metadata=held))
    server.delete(RAY_JOBS, "default", "x", in_background=False)
    assert server.get(RAY_JOBS, "default", "x") is not None
    server.patch(RAY_CLUSTERS, "default", "x-c", {"metadata": {"finalizers": []}})
    assert server.list(RAY_CLUSTERS) == []
    assert server.get(RAY_JOBS, "default", "x") is None


def test_a_namespace_takes_all_with_it_and_lets_nothing_in(server: SimulatedServer) -> None:
    server.create(CONFIG_MAPS, body(CONFIG_MAPS, "a"))
    server.create(VPPO_JOBS, body(VPPO_JOBS, "x", metadata={"finalizers": ["a/b"]}))
    server.store.delete(NAMESPACES, "", "default")
    assert server.list(CONFIG_MAPS) == []
    with pytest.raises(KubeForbiddenError):
        server.create(CONFIG_MAPS, body(CONFIG_MAPS, "b"))
    server.patch(VPPO_JOBS, "default", "x", {"metadata": {"finalizers": []}})
    assert server.get(NAMESPACES, "", "default") is None


def test_labels_select(server: SimulatedServer) -> None:
    server.create(PODS, body(PODS, "a", metadata={"labels": {"job": "x", "attempt": "1"}}))
    server.create(PODS, body(PODS, "b", metadata={"labels": {"job": "y"}}))
    names = [one["metadata"]["name"] for one in server.list(PODS, labels={"job": "y"})]
    assert names == ["b"]
    assert len(server.list(PODS, "default", labels={"job": None})) == 2
    assert len(server.list(PODS, labels={"job": "x", "attempt": None})) == 1
    assert server.list(PODS, "elsewhere") == []


def test_bad_objects_are_refused(server: SimulatedServer) -> None:
    for bad in (
        body(PODS, "UPPER"),
        body(PODS, "a", metadata={"labels": {"x": "no spaces"}}),
        body(PODS, "a", metadata={"annotations": {"x": 1}}),
        body(RAY_JOBS, "a"),
        body(PODS, "a", metadata={"ownerReferences": [{"name": "x"}]}),
        body(PODS, "a", spec={"x": float("nan")}),
    ):
        with pytest.raises(BadObjectError):
            server.create(PODS, bad)


def test_an_immutable_config_map_stays(server: SimulatedServer) -> None:
    server.create(CONFIG_MAPS, body(CONFIG_MAPS, "a", data={"x": "1"}, immutable=True))
    with pytest.raises(BadObjectError, match="immutable"):
        server.patch(CONFIG_MAPS, "default", "a", {"data": {"x": "2"}})


def test_a_kind_that_is_not_served(server: SimulatedServer) -> None:
    server.not_served.add(RAY_JOBS)
    assert server.get(RAY_JOBS, "default", "x") is None
    assert not server.delete(RAY_JOBS, "default", "x")
    for call in (
        lambda: server.list(RAY_JOBS),
        lambda: server.create(RAY_JOBS, body(RAY_JOBS, "x")),
        lambda: server.patch(RAY_JOBS, "default", "x", {}),
    ):
        with pytest.raises(KubeNotFoundError):
            call()


def test_faults(server: SimulatedServer) -> None:
    server.fail_after(2)
    server.create(CONFIG_MAPS, body(CONFIG_MAPS, "a"))
    with pytest.raises(Killed):
        server.create(CONFIG_MAPS, body(CONFIG_MAPS, "b"))
    assert [one["metadata"]["name"] for one in server.list(CONFIG_MAPS)] == ["a", "b"]
    server.is_unavailable = True
    with pytest.raises(KubeUnavailableError):
        server.list(CONFIG_MAPS)
    server.is_unavailable = False
    server.forbid("create", CONFIG_MAPS)
    with pytest.raises(KubeForbiddenError):
        server.create(CONFIG_MAPS, body(CONFIG_MAPS, "c"))
    server.allow("create", CONFIG_MAPS)
    server.fail_next(KubeUnavailableError("x"), verb="create", takes_effect=True)
    server.list(CONFIG_MAPS)
    with pytest.raises(KubeUnavailableError):
        server.create(CONFIG_MAPS, body(CONFIG_MAPS, "c"))
    assert len(server.store.list(CONFIG_MAPS)) == 3
    assert [call.verb for call in server.writes()] == ["create"] * 4


def test_watchers_hear_each_change(server: SimulatedServer) -> None:
    heard = server.subscribe()
    server.create(VPPO_JOBS, body(VPPO_JOBS, "x", spec={}))
    server.patch(VPPO_JOBS, "default", "x", {"spec": {"a": 1}})
    server.patch(VPPO_JOBS, "default", "x", {"spec": {"a": 1}})
    server.delete(VPPO_JOBS, "default", "x")
    assert [one.type for one in heard] == ["ADDED", "MODIFIED", "DELETED"]
    versions = [version(one.object) for one in heard]
    assert versions == sorted(set(versions))


def test_lingering_pods_stay_until_removed(server: SimulatedServer) -> None:
    server.store.pods_linger = True
    server.create(PODS, body(PODS, "a"))
    server.delete(PODS, "default", "a")
    assert "deletionTimestamp" in server.list(PODS)[0]["metadata"]
    server.store.remove(PODS, "default", "a")
    assert server.list(PODS) == []
