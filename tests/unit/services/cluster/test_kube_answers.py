"""Queues, plans, manifests and hashes of a cluster's store."""

from typing import Any

from vppo_core.archive.records import IdempotencyKey
from vppo_core.kube.kinds import LOCAL_QUEUES
from vppo_services.cluster.creation import Request

KEY = IdempotencyKey(tenant="ann", key="k-1")


def test_kueue_knows_how_full_its_queues_are(cluster: Any, job_named: Any) -> None:
    status = {"pendingWorkloads": 3, "reservingWorkloads": 2}
    meta = {"name": "night", "namespace": "default"}
    cluster.server.store.put(LOCAL_QUEUES, {"metadata": meta, "status": status})
    platform = cluster.store.platform
    with_kueue = platform.cluster.model_copy(update={"kueue": True})
    cluster.store._platform = platform.model_copy(update={"cluster": with_kueue})
    cluster.store.create(job_named("a"), owner="ann")
    rows = [(one["name"], one["waiting"], one["running"]) for one in cluster.store.queues()]
    assert rows == [("default", 1, 0), ("night", 3, 2)]
    cluster.server.not_served.add(LOCAL_QUEUES)
    assert [one["waiting"] for one in cluster.store.queues()] == [1, 0]


def test_a_plan_shows_the_ray_job(cluster: Any, job_named: Any) -> None:
    plan = cluster.store.plan_process(job_named())
    assert plan["kind"] == "RayJob"
    assert "RayJob" in {one["kind"] for one in plan["objects"]}
    assert cluster.server.writes() == []


def test_a_manifest_names_the_image(cluster: Any, job_named: Any) -> None:
    made, _ = cluster.store.create(job_named("a"), owner="ann")
    cluster.settle()
    assert cluster.store.manifest(made.uid)["image"] == "registry.example/vppo:1"


def test_the_same_request_has_the_same_hashes(cluster: Any, job_named: Any) -> None:
    def hashes(**more: Any) -> tuple[str, str]:
        facts = {"job": job_named("a"), "owner": "ann", "key": KEY, "now": cluster.clock()} | more
        request = Request(**facts)
        return request.key_hash, request.body_hash

    assert hashes() == hashes(owner="bob")
    assert hashes()[0] != hashes(key=IdempotencyKey(tenant="bob", key="k-1"))[0]
    assert hashes()[1] != hashes(job=job_named("a", seed=1))[1]
