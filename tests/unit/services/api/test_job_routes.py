"""Jobs over HTTP: create, replay, list, read, delete."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from starlette.testclient import TestClient

from vppo_core.spec.loading import job_from_document
from vppo_core.spec.objects import JobObject
from vppo_core.spec.status import JobPhase

DEMO = Path(__file__).parents[4] / "helm" / "examples" / "demo-vppo.yaml"
YAML = {"content-type": "application/yaml"}


def test_a_job_is_created_from_the_file_that_the_command_line_takes(client: TestClient) -> None:
    reply = client.post("/jobs", content=DEMO.read_bytes(), headers=YAML)
    assert reply.status_code == 201
    assert reply.headers["location"] == "/jobs/demo-vppo"
    job = JobObject.model_validate_json(reply.text)
    assert job.spec == job_from_document(yaml.safe_load(DEMO.read_text())).spec


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        "application/json;charset=UTF-8",
        "application/yaml",
        "application/x-yaml",
        "text/yaml; charset=utf-8",
    ],
)
def test_bodies_may_be_json_or_yaml(
    client: TestClient, minimal: dict[str, Any], content_type: str
) -> None:
    headers = {"content-type": content_type}
    reply = client.post("/jobs", content=json.dumps(minimal), headers=headers)
    assert reply.status_code == 201


def test_a_job_without_a_name_gets_one(client: TestClient, minimal: dict[str, Any]) -> None:
    del minimal["metadata"]
    reply = client.post("/jobs", json=minimal)
    assert reply.headers["location"] == f"/jobs/{reply.json()['metadata']['name']}"
    assert client.get(reply.headers["location"]).json() == reply.json()


def test_what_was_got_can_be_sent_again(client: TestClient, minimal: dict[str, Any]) -> None:
    first = client.post("/jobs", json=minimal).json()
    first["metadata"]["name"] = "copy"
    reply = client.post("/jobs", json=first)
    assert reply.status_code == 201
    assert reply.json()["spec"] == first["spec"]


def test_paths_are_the_same_below_v1(client: TestClient, minimal: dict[str, Any]) -> None:
    reply = client.post("/v1/jobs", json=minimal)
    assert reply.headers["location"] == "/v1/jobs/cubes"
    assert client.get("/v1/jobs/cubes").json() == client.get("/jobs/cubes").json()


def test_a_repeated_request_with_a_key_is_the_same_request(
    client: TestClient, minimal: dict[str, Any]
) -> None:
    key = {"idempotency-key": "nightly 7"}
    first = client.post("/jobs", json=minimal, headers=key)
    again = client.post("/jobs", json=minimal, headers=key)
    assert (first.status_code, again.status_code) == (201, 200)
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert first.json() == again.json()
    minimal["spec"]["seed"] = 7
    other = client.post("/jobs", json=minimal, headers=key)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_conflict")


def test_a_living_name_is_taken_and_a_finished_one_is_free(
    client: TestClient, minimal: dict[str, Any], store: Any
) -> None:
    client.post("/jobs", json=minimal)
    taken = client.post("/jobs", json=minimal)
    assert (taken.status_code, taken.json()["code"]) == (409, "name_taken")
    store.finish("cubes")
    assert client.post("/jobs", json=minimal).status_code == 201


def test_a_job_has_a_version_that_need_not_be_sent_twice(
    client: TestClient, minimal: dict[str, Any]
) -> None:
    tag = client.post("/jobs", json=minimal).headers["etag"]
    for known in (tag, f'"x", W/{tag}', "*"):
        reply = client.get("/jobs/cubes", headers={"if-none-match": known})
        assert (reply.status_code, reply.text, reply.headers["etag"]) == (304, "", tag)
    assert client.get("/jobs/cubes", headers={"if-none-match": '"x"'}).status_code == 200


def test_a_later_job_of_the_same_name_has_another_version(
    client: TestClient, minimal: dict[str, Any], store: Any
) -> None:
    first = client.post("/jobs", json=minimal)
    store.finish("cubes")
    client.post("/jobs", json=minimal)
    known = {"if-none-match": first.headers["etag"]}
    assert client.get("/jobs/cubes", headers=known).status_code == 200
    older = client.get("/jobs/cubes", params={"uid": first.json()["metadata"]["uid"]})
    assert older.json()["metadata"] == first.json()["metadata"]


def test_a_list_is_read_page_by_page(client: TestClient, minimal: dict[str, Any]) -> None:
    for number in range(5):
        minimal["metadata"]["name"] = f"job-{number}"
        client.post("/jobs", json=minimal)
    seen, params = [], {"limit": "2"}
    for _ in range(3):
        page = client.get("/jobs", params=params).json()
        seen += [JobObject.model_validate(item).metadata.name for item in page["items"]]
        params["cursor"] = page["nextCursor"]
    assert seen == ["job-4", "job-3", "job-2", "job-1", "job-0"]
    assert page["nextCursor"] is None


def test_filters_reach_the_store(client: TestClient, store: Any) -> None:
    query = (
        "phase=Running&phase=Queued&phase=Running&queue=night&owner=ada&name=cub&limit=7"
        "&labelSelector=team%3Dvision,stage%3D%3Ddev&metadata[a%20b]=c%3Dd"
        "&createdAfter=2026-11-01T12:00:00%2B02:00"
    )
    assert client.get(f"/jobs?{query}").json() == {"items": [], "nextCursor": None}
    (asked,) = store.queries
    assert asked.phases == (JobPhase.RUNNING, JobPhase.QUEUED)
    assert (asked.queue, asked.owner, asked.name_contains, asked.limit) == (
        "night",
        "ada",
        "cub",
        7,
    )
    assert asked.labels == (("team", "vision"), ("stage", "dev"))
    assert asked.annotations == (("a b", "c=d"),)
    assert asked.created_after.isoformat() == "2026-11-01T10:00:00+00:00"


@pytest.mark.parametrize(
    ("verb", "state"), [("pause", "Paused"), ("resume", "Running"), ("cancel", "Cancelled")]
)
def test_verbs_say_what_is_wanted(
    client: TestClient, minimal: dict[str, Any], verb: str, state: str
) -> None:
    client.post("/jobs", json=minimal)
    for path in (f"/jobs/cubes:{verb}", f"/v1/jobs/cubes%3A{verb}"):
        reply = client.post(path)
        assert reply.status_code == 202
        assert reply.json()["spec"]["desiredState"] == state


def test_a_cancelled_job_does_not_come_back(client: TestClient, minimal: dict[str, Any]) -> None:
    client.post("/jobs", json=minimal)
    client.post("/jobs/cubes:cancel")
    reply = client.post("/jobs/cubes:resume")
    assert (reply.status_code, reply.json()["code"]) == (409, "not_allowed_now")
    assert reply.json()["hint"] == "clone the job"


def test_deletion_is_asked_for_and_may_be_asked_for_again(
    client: TestClient, minimal: dict[str, Any]
) -> None:
    client.post("/jobs", json=minimal)
    first, again = client.delete("/jobs/cubes"), client.delete("/jobs/cubes")
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json() == again.json()
    assert first.json()["metadata"]["deletionTimestamp"] is not None


def test_what_there_is_can_be_read(client: TestClient, minimal: dict[str, Any]) -> None:
    uid = client.post("/jobs", json=minimal).json()["metadata"]["uid"]
    assert client.get("/jobs/cubes/manifest").json() == {"seed": 0, "uid": uid}
    assert client.get("/jobs/cubes/explain").json()["causes"][0]["reason"] == "WaitingForQuota"
    (pool,) = client.get("/pools").json()["items"]
    assert (pool["name"], pool["gpuType"], pool["pricePerGpuHour"]) == ("big", "H100", 2.0)
    queues = client.get("/queues").json()["items"]
    assert queues[1] == {"name": "night", "pool": "big", "waiting": 0, "running": 0}


@pytest.mark.parametrize("kind", ["job", "platform", "crd", "openapi"])
def test_schemas_are_served(client: TestClient, kind: str) -> None:
    assert client.get(f"/schema/{kind}").json()


def test_the_root_leads_browsers_to_the_page(client: TestClient) -> None:
    reply = client.get("/", headers={"accept": "text/html,*/*"})
    assert (reply.status_code, reply.headers["location"]) == (307, "ui/")
    assert client.get("/").json()["page"] == "/ui/"
    assert "<html" in client.get("/ui/").text
