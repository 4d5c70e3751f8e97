"""Changes of a job, and new jobs from old ones."""

from typing import Any

import pytest
from starlette.testclient import TestClient


@pytest.fixture(autouse=True)
def cubes(client: TestClient, minimal: dict[str, Any]) -> None:
    minimal["metadata"] |= {"labels": {"team": "vision", "stage": "dev"}}
    minimal["spec"] |= {"activeDeadlineSeconds": 600, "learner": {"numSteps": 9}}
    assert client.post("/jobs", json=minimal).status_code == 201


def spec_of(reply: Any) -> Any:
    assert reply.status_code == 200, reply.text
    return reply.json()["spec"]


@pytest.mark.parametrize(
    ("asked", "field", "value"),
    [
        ({"desiredState": "Paused"}, "desiredState", "Paused"),
        ({"desiredState": None}, "desiredState", "Running"),
        ({"priority": "high"}, "priority", "high"),
        ({"priority": None}, "priority", ""),
        ({"activeDeadlineSeconds": 700}, "activeDeadlineSeconds", 700),
        ({"pendingDeadlineSeconds": None}, "pendingDeadlineSeconds", None),
        ({"ttlSecondsAfterFinished": 0}, "ttlSecondsAfterFinished", 0),
        ({"seed": 0, "learner": {"numSteps": 9}}, "seed", 0),
    ],
)
def test_what_may_change_changes(
    client: TestClient, asked: dict[str, Any], field: str, value: Any
) -> None:
    assert spec_of(client.patch("/jobs/cubes", json={"spec": asked}))[field] == value
    assert spec_of(client.get("/jobs/cubes"))[field] == value


@pytest.mark.parametrize(
    ("asked", "param", "hint"),
    [
        ({"spec": {"seed": 4}}, "seed", "clone the job to change it"),
        ({"spec": {"learner": {"numSteps": 10}}}, "learner.numSteps", "clone the job to change it"),
        ({"spec": {"learner": None}}, "learner.numSteps", "clone the job to change it"),
        ({"spec": {"model": None}}, "model", "add it: "),
        ({"spec": None}, "spec", "add it: "),
        ({"spec": 5}, "spec", "write its fields"),
        ({"metadata": {"name": "other"}}, "metadata.name", "clone the job to change it"),
        ({"metadata": {"namespace": "x"}}, "metadata.namespace", "clone the job to change it"),
        ({"metadata": {"labels": {"a": 1}}}, "metadata.labels.a", "put it in quotes"),
        ({"spec": {"desiredState": "Stopped"}}, "desiredState", "choose one"),
        ({"spec": {"desiredstate": "Paused"}}, "desiredstate", "did you mean 'desiredState'?"),
        ({"spec": {"activeDeadlineSeconds": 1}}, "activeDeadlineSeconds", "raise it"),
        ({"spec": {"activeDeadlineSeconds": None}}, "activeDeadlineSeconds", "send a higher"),
        ({"kind": "Job"}, "kind", "write kind: VPPOJob"),
        ({"specs": {}}, "specs", "did you mean 'spec'?"),
        ([], "", "write fields"),
    ],
)
def test_what_may_not_change_is_named_and_cured(
    client: TestClient, asked: Any, param: str, hint: str
) -> None:
    before = client.get("/jobs/cubes").json()
    reply = client.patch("/jobs/cubes", json=asked)
    assert (reply.status_code, reply.json()["code"]) == (422, "invalid_spec")
    assert reply.json()["param"] == param
    assert reply.json()["hint"].startswith(hint)
    assert client.get("/jobs/cubes").json() == before


@pytest.mark.parametrize(
    ("asked", "left"),
    [
        ({"team": "speech"}, {"team": "speech", "stage": "dev"}),
        ({"team": None}, {"stage": "dev"}),
        ({}, {"team": "vision", "stage": "dev"}),
        (None, {}),
    ],
)
def test_labels_are_merged(client: TestClient, asked: Any, left: dict[str, str]) -> None:
    reply = client.patch("/jobs/cubes", json={"metadata": {"labels": asked}})
    assert reply.json()["metadata"]["labels"] == left


@pytest.mark.parametrize("media", ["application/merge-patch+json", "application/json"])
def test_a_patch_is_json(client: TestClient, media: str) -> None:
    headers = {"content-type": media}
    assert client.patch("/jobs/cubes", content="{}", headers=headers).status_code == 200
    other = client.patch("/jobs/cubes", content="{}", headers={"content-type": "text/yaml"})
    assert other.status_code == 415
    assert other.headers["accept-patch"] == "application/merge-patch+json, application/json"


def test_a_change_of_an_old_version_is_refused(client: TestClient) -> None:
    tag = client.get("/jobs/cubes").headers["etag"]
    pause, resume = ({"spec": {"desiredState": state}} for state in ("Paused", "Running"))
    first = client.patch("/jobs/cubes", json=pause, headers={"if-match": tag})
    second = client.patch("/jobs/cubes", json=resume, headers={"if-match": tag})
    assert (first.status_code, second.status_code) == (200, 409)
    assert second.json()["code"] == "stale_version"
    version = f'"{first.json()["metadata"]["resourceVersion"]}"'
    assert client.patch("/jobs/cubes", json=resume, headers={"if-match": version}).is_success
    assert client.patch("/jobs/cubes", json=pause, headers={"if-match": "*"}).is_success


def test_a_version_of_an_earlier_job_of_that_name_is_refused(client: TestClient) -> None:
    reply = client.patch("/jobs/cubes", json={}, headers={"if-match": '"99999999-1"'})
    assert (reply.status_code, reply.json()["code"]) == (409, "stale_version")


@pytest.mark.parametrize("tag", ["1", "W/1", '"one"', '"1", "2"'])
def test_if_match_must_be_an_etag(client: TestClient, tag: str) -> None:
    reply = client.patch("/jobs/cubes", json={}, headers={"if-match": tag})
    assert (reply.status_code, reply.json()["param"]) == (422, "If-Match")


def test_a_clone_is_the_same_job_under_another_name(client: TestClient) -> None:
    client.post("/jobs/cubes:cancel")
    reply = client.post("/jobs/cubes:clone")
    assert reply.status_code == 201
    clone, source = reply.json(), client.get("/jobs/cubes").json()
    assert clone["metadata"]["name"].startswith("cubes-")
    assert reply.headers["location"] == f"/jobs/{clone['metadata']['name']}"
    assert clone["metadata"]["labels"] == source["metadata"]["labels"]
    assert clone["spec"] == source["spec"] | {"desiredState": "Running"}


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(
            {"name": "other", "set": {"learner.numSteps": 3, "model.revision": "1", "seed": 7}},
            id="set",
        ),
        pytest.param(
            {
                "metadata": {"name": "other"},
                "spec": {"learner": {"numSteps": 3}, "model": {"revision": "1"}, "seed": 7},
            },
            id="merged",
        ),
    ],
)
def test_a_clone_may_differ(client: TestClient, body: dict[str, Any]) -> None:
    clone = client.post("/v1/jobs/cubes:clone", json=body)
    assert clone.headers["location"] == "/v1/jobs/other"
    spec = clone.json()["spec"]
    assert (spec["learner"]["numSteps"], spec["model"]["revision"], spec["seed"]) == (3, "1", 7)
    assert spec["model"]["source"] == "demo://qwen2.5-vl"


def test_a_repeated_clone_with_a_key_is_one_clone(client: TestClient) -> None:
    key, body = {"idempotency-key": "k"}, {"name": "other"}
    replies = [client.post("/jobs/cubes:clone", json=body, headers=key) for _ in range(2)]
    assert [reply.status_code for reply in replies] == [201, 200]
    assert replies[0].json() == replies[1].json()


@pytest.mark.parametrize(
    ("body", "param", "hint"),
    [
        ({"set": {"learner.numStep": 3}}, "", "did you mean 'learner.numSteps'?"),
        ({"set": {"learner.numSteps": "many"}}, "learner.numSteps", "replace it"),
        ({"set": {"learner": 3}}, "", "name one of its fields"),
        ({"set": ["seed"]}, "set", "write {"),
        ({"names": "other"}, "names", "did you mean 'name'?"),
        ({"name": "No_Name"}, "metadata.name", "write it to match"),
        ({"name": 5}, "metadata.name", "put it in quotes"),
        ({"spec": {"rollout": {"groupSize": 1}}}, "rollout.groupSize", "raise it"),
        ({"set": {"scheduling.queue": "nowhere"}}, "scheduling.queue", "choose one"),
        ({"metadata": 5}, "metadata", "write its fields"),
        ({"set": {"seed": [[[]]] and 1.5}}, "seed", "replace it"),
    ],
)
def test_a_clone_that_cannot_run_is_refused(
    client: TestClient, body: dict[str, Any], param: str, hint: str
) -> None:
    reply = client.post("/jobs/cubes:clone", json=body)
    assert (reply.status_code, reply.json()["code"]) == (422, "invalid_spec")
    assert reply.json()["hint"].startswith(hint)
    assert not param or reply.json()["param"] == param


@pytest.mark.parametrize(
    ("method", "path"), [("PATCH", "/jobs/cubes"), ("POST", "/jobs/cubes:clone")]
)
def test_a_deep_body_is_refused(client: TestClient, method: str, path: str) -> None:
    for levels in (40, 900, 100_000):
        body = b'{"spec":' * levels + b"1" + b"}" * levels
        reply = client.request(
            method, path, content=body[:262_000], headers={"content-type": "application/json"}
        )
        assert (reply.status_code, reply.json()["code"]) == (422, "invalid_spec")
