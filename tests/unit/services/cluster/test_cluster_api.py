"""The API on a cluster: tokens, rights and namespaces are those of `kubectl`."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.sim.kube_server import Account
from vppo_core.kube.kinds import ACCESS_REVIEWS, TOKEN_REVIEWS, VPPO_JOBS
from vppo_core.spec.status import JobPhase
from vppo_services.api.app import create_app
from vppo_services.api.cluster_door import ClusterCallers
from vppo_services.api.settings import ApiSettings, StoreKind
from vppo_services.cluster.access import AccessReviews
from vppo_services.cluster.auth import TokenReviews

JOBS = "vppojobs"
EVERY = ("get", "list", "watch", "create", "patch", "delete")


def body(name: str = "cubes", **meta: Any) -> dict[str, Any]:
    return {
        "apiVersion": "vppo.io/v1alpha1",
        "kind": "VPPOJob",
        "metadata": {"name": name, **meta},
        "spec": {"model": {"source": "demo://a"}, "data": {"source": "demo://colours"}},
    }


def as_user(name: str, **headers: str) -> dict[str, str]:
    return {"Authorization": f"Bearer t-{name}", **headers}


ANN = as_user("ann")


@pytest.fixture
def client(cluster: Any) -> Iterator[TestClient]:
    """Ann may do everything in `default` and `team`, Vic look at `default`, Tim all in `team`."""
    reviews = cluster.server.reviews
    for name in ("ann", "vic", "tim"):
        reviews.accounts[f"t-{name}"] = Account(name, uid=f"uid-{name}")
    for verb in EVERY:
        reviews.grants |= {("ann", verb, JOBS, "default"), ("ann", verb, JOBS, "team")}
        reviews.grants.add(("tim", verb, JOBS, "team"))
    reviews.grants |= {("vic", verb, JOBS, "default") for verb in ("get", "list", "watch")}
    reviews.grants.add(("ann", "get", "pods/log", "default"))
    settings = ApiSettings(
        job_store=StoreKind.KUBE,
        namespaces=("default", "team"),
        platform=Path("platform.yaml"),
        host="0.0.0.0",
    )
    callers = ClusterCallers(
        cluster.server,
        tokens=TokenReviews(cluster.server, clock=cluster.clock.seconds),
        rights=AccessReviews(cluster.server, clock=cluster.clock.seconds),
    )
    app = create_app(cluster.store, settings, authenticator=callers)
    with closing(
        TestClient(app, base_url="http://vppo.example", client=("10.1.2.3", 5), headers=ANN)
    ) as made:
        yield made


def test_a_job_lives_its_life(client: TestClient, cluster: Any) -> None:
    made = client.post("/jobs", json=body())
    assert (made.status_code, made.headers["location"]) == (201, "/jobs/cubes")
    uid = made.json()["metadata"]["uid"]
    cluster.settle()
    assert [one["metadata"]["uid"] for one in client.get("/jobs").json()["items"]] == [uid]

    read = client.get("/jobs/cubes")
    tag = read.headers["etag"]
    assert client.get("/jobs/cubes", headers={"If-None-Match": tag}).status_code == 304
    change = {"spec": {"priority": "high"}, "metadata": {"labels": {"team": "vision"}}}
    changed = client.patch("/jobs/cubes", json=change, headers={"If-Match": tag})
    assert changed.json()["spec"]["priority"] == "high"
    stale = client.patch("/jobs/cubes", json=change, headers={"If-Match": tag})
    assert (stale.status_code, stale.json()["code"]) == (409, "stale_version")

    cluster.hold("cubes")
    for verb, state in (("pause", "Paused"), ("resume", "Running"), ("cancel", "Cancelled")):
        reply = client.post(f"/jobs/cubes:{verb}")
        assert (reply.status_code, reply.json()["spec"]["desiredState"]) == (202, state)
    assert client.post("/jobs/cubes:resume").json()["code"] == "not_allowed_now"
    cluster.set_phase("cubes", JobPhase.CANCELLED)
    assert client.delete("/jobs/cubes").json()["metadata"]["deletionTimestamp"]
    cluster.let_go("cubes")
    assert client.get("/jobs/cubes").json()["status"]["phase"] == "Cancelled"

    clone = client.post("/jobs/cubes:clone", json={"name": "again", "set": {"seed": 7}})
    assert (clone.status_code, clone.json()["spec"]["seed"]) == (201, 7)
    events = client.get("/jobs/cubes/events").json()["items"]
    asked = [one["reason"] for one in events if one["kind"] == "Audit"]
    assert asked == [
        "Created",
        "Changed",
        "PauseRequested",
        "ResumeRequested",
        "CancelRequested",
        "DeletionRequested",
    ]
    assert {one["actor"] for one in events if one["kind"] == "Audit"} == {"ann"}


def test_a_repeated_request_is_the_same_request(client: TestClient) -> None:
    key = {"Idempotency-Key": "k-1"}
    first = client.post("/jobs", json=body(""), headers=key)
    again = client.post("/jobs", json=body(""), headers=key)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json()["metadata"]["uid"] == first.json()["metadata"]["uid"]
    other = client.post("/jobs", json=body("other"), headers=key)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_conflict")
    taken = client.post("/jobs", json=body(first.json()["metadata"]["name"]))
    assert (taken.status_code, taken.json()["code"]) == (409, "name_taken")


def test_a_plan_is_the_ray_job_and_makes_nothing(client: TestClient, cluster: Any) -> None:
    plan = client.post("/jobs?dryRun=true&namespace=team", json=body())
    assert plan.status_code == 200
    [ray_job] = [one for one in plan.json()["process"]["objects"] if one["kind"] == "RayJob"]
    assert ray_job["metadata"]["namespace"] == "team"
    assert all(call.kind in (TOKEN_REVIEWS, ACCESS_REVIEWS) for call in cluster.server.writes())


@pytest.mark.parametrize(
    ("query", "meta", "place"),
    [
        ("", {}, "default"),
        ("?namespace=team", {}, "team"),
        ("", {"namespace": "team"}, "team"),
        ("?namespace=team", {"namespace": "team"}, "team"),
    ],
)
def test_a_job_is_put_where_body_or_request_say(
    client: TestClient, cluster: Any, query: str, meta: Any, place: str
) -> None:
    reply = client.post(f"/jobs{query}", json=body(**meta))
    assert (reply.status_code, reply.json()["metadata"]["namespace"]) == (201, place)
    assert cluster.server.store.get(VPPO_JOBS, place, "cubes") is not None
    assert client.get(reply.headers["location"]).status_code == 200
    other = "team" if place == "default" else "default"
    assert client.get(f"/jobs/cubes?namespace={other}").status_code == 404
    assert client.get(f"/jobs?namespace={other}").json()["items"] == []


@pytest.mark.parametrize(
    ("query", "meta", "param"),
    [
        ("?namespace=team", {"namespace": "default"}, "metadata.namespace"),
        ("", {"namespace": "kube-system"}, "metadata.namespace"),
        ("?namespace=kube-system", {}, "namespace"),
        ("?namespace=-", {}, "namespace"),
    ],
)
def test_a_namespace_that_is_not_served_is_refused(
    client: TestClient, query: str, meta: Any, param: str
) -> None:
    reply = client.post(f"/jobs{query}", json=body(**meta))
    assert (reply.status_code, reply.json()["param"]) == (422, param)


@pytest.mark.parametrize(
    ("user", "method", "path", "verb", "resource", "place"),
    [
        ("vic", "POST", "/jobs", "create", "vppojobs.vppo.io", "default"),
        ("vic", "PATCH", "/jobs/cubes", "patch", "vppojobs.vppo.io", "default"),
        ("vic", "POST", "/jobs/cubes:pause", "patch", "vppojobs.vppo.io", "default"),
        ("vic", "POST", "/jobs/cubes:clone", "create", "vppojobs.vppo.io", "default"),
        ("vic", "DELETE", "/jobs/cubes", "delete", "vppojobs.vppo.io", "default"),
        ("vic", "GET", "/jobs/cubes/logs", "get", "pods/log", "default"),
        ("vic", "GET", "/jobs?namespace=team", "list", "vppojobs.vppo.io", "team"),
        ("vic", "POST", "/webhooks", "create", "vppojobs.vppo.io", "default"),
        ("tim", "GET", "/jobs/cubes", "get", "vppojobs.vppo.io", "default"),
        ("tim", "GET", "/usage", "list", "vppojobs.vppo.io", "default"),
        ("tim", "GET", "/queues", "list", "vppojobs.vppo.io", "default"),
    ],
)
def test_who_may_not_is_told_what_and_where(
    client: TestClient,
    *,
    user: str,
    method: str,
    path: str,
    verb: str,
    resource: str,
    place: str,
) -> None:
    client.post("/jobs", json=body())
    sent = {"POST": body("new"), "PATCH": {"spec": {"priority": "high"}}}.get(method)
    if path == "/webhooks":
        sent = {"url": "https://example.com/"}
    if path.endswith(("pause", "clone")):
        sent = None
    reply = client.request(method, path, json=sent, headers=as_user(user))
    assert (reply.status_code, reply.json()["code"]) == (403, "forbidden")
    detail = reply.json()["detail"]
    assert f"{user} must be allowed to {verb} {resource} in the namespace '{place}'" in detail
    assert f"kubectl auth can-i {verb} {resource} -n {place}" in detail


def test_a_tenant_has_its_own_namespace_and_no_other(client: TestClient) -> None:
    tim = as_user("tim")
    assert client.post("/jobs", json=body(namespace="team"), headers=tim).status_code == 201
    assert client.get("/jobs/cubes?namespace=team", headers=tim).json()["kind"] == "VPPOJob"
    assert client.post("/jobs", json=body("other"), headers=tim).status_code == 403
    for path in ("/pools", "/schema/job"):
        assert client.get(path, headers=tim).status_code == 200


def test_a_clone_needs_both_namespaces(client: TestClient) -> None:
    client.post("/jobs", json=body())
    into_team = {"name": "copy", "metadata": {"namespace": "team"}}
    refused = client.post("/jobs/cubes:clone", json=into_team, headers=as_user("tim"))
    assert refused.status_code == 403
    made = client.post("/jobs/cubes:clone", json=into_team)
    assert made.headers["location"] == "/jobs/copy?namespace=team"
    client.post("/jobs?namespace=team", json=body("theirs"))
    stays = client.post("/jobs/theirs:clone?namespace=team", json={"name": "two"})
    assert stays.json()["metadata"]["namespace"] == "team"


@pytest.mark.parametrize("header", ["Bearer t-eve", "Bearer ", "Basic t-ann", ""])
def test_who_is_not_known_is_not_let_in(client: TestClient, header: str) -> None:
    reply = client.get("/jobs", headers={"Authorization": header})
    assert (reply.status_code, reply.json()["code"]) == (401, "unauthenticated")


def test_a_cluster_that_is_away_is_told_with_a_time_to_come_back(
    client: TestClient, cluster: Any
) -> None:
    client.get("/jobs")
    cluster.server.is_unavailable = True
    for headers in (ANN, as_user("vic")):  # a known token, and one that has to be asked for
        reply = client.get("/jobs/cubes", headers=headers)
        assert (reply.status_code, reply.json()["code"]) == (503, "store_unavailable")
        assert int(reply.headers["retry-after"]) > 0
    assert client.get("/readyz", headers=as_user("vic")).status_code == 503
    assert client.get("/healthz", headers=as_user("vic")).status_code == 200


def test_without_an_archive_history_says_when_to_come_back(
    client: TestClient, cluster: Any
) -> None:
    client.post("/jobs", json=body())
    cluster.db.is_away = True
    for path in ("/jobs", "/jobs/cubes/events", "/jobs/cubes/attempts", "/usage"):
        reply = client.get(path)
        assert (reply.status_code, int(reply.headers["retry-after"]) > 0) == (503, True)
    assert client.get("/jobs/cubes").status_code == 200
    assert client.post("/jobs/cubes:pause").status_code == 202
    assert client.post("/jobs", json=body("more")).status_code == 201
    assert client.get("/readyz").status_code == 200


def test_answers_of_the_cluster_are_remembered(client: TestClient, cluster: Any) -> None:
    client.get("/jobs")
    asked = sum(call.kind in (TOKEN_REVIEWS, ACCESS_REVIEWS) for call in cluster.server.calls)
    for _ in range(5):
        client.get("/jobs")
    again = sum(call.kind in (TOKEN_REVIEWS, ACCESS_REVIEWS) for call in cluster.server.calls)
    assert (asked, again) == (2, 2)


def test_a_stream_ends_with_its_job(client: TestClient, cluster: Any) -> None:
    client.post("/jobs", json=body())
    cluster.set_phase("cubes", JobPhase.SUCCEEDED)
    reply = client.get("/jobs/cubes/events", headers={"Accept": "text/event-stream"})
    assert reply.status_code == 200
    assert "event: end" in reply.text
    assert "Created" in reply.text
    refused = client.get(
        "/jobs/cubes/events?namespace=team",
        headers=as_user("vic", Accept="text/event-stream"),
    )
    assert refused.status_code == 403


def test_a_job_of_another_namespace_is_not_found_by_its_uid(client: TestClient) -> None:
    uid = client.post("/jobs?namespace=team", json=body()).json()["metadata"]["uid"]
    for part in ("", "/events", "/metrics", "/attempts", "/artifacts", "/manifest"):
        reply = client.get(f"/jobs/cubes{part}?uid={uid}", headers=as_user("vic"))
        assert reply.status_code == 404, part
