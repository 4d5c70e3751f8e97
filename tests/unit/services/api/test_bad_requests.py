"""Every kind of bad input: the right status, code and param, and what cures it."""

import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from vppo_core.archive.errors import StoreUnavailableError

JSON = {"content-type": "application/json"}
YAML = {"content-type": "application/yaml"}
PROBLEM = {"type", "title", "status", "detail", "instance", "code", "param", "hint", "requestId"}


def problem(reply: Any) -> tuple[int, str, str, str]:
    assert reply.headers["content-type"] == "application/problem+json"
    body = reply.json()
    assert body.keys() - {"errors"} == PROBLEM
    assert body["status"] == reply.status_code
    assert body["requestId"] == reply.headers["x-request-id"]
    assert body["hint"], "every refusal says what cures it"
    assert body["detail"].endswith(body["hint"])
    return reply.status_code, body["code"], body["param"], body["hint"]


@pytest.mark.parametrize(
    ("change", "param", "hint"),
    [
        pytest.param({"rollout": {"groupSize": 1}}, "rollout.groupSize", "raise it", id="bound"),
        pytest.param({"learner": {"numSteps": "8"}}, "learner.numSteps", "write 8", id="type"),
        pytest.param({"rolout": {}}, "rolout", "did you mean 'rollout'?", id="section"),
        pytest.param(
            {"rollout": {"group_size": 8}},
            "rollout.group_size",
            "did you mean 'groupSize'?",
            id="field",
        ),
        pytest.param({"model": {}}, "model.source", "", id="missing"),
        pytest.param({"model": None}, "model", "indent its fields", id="null"),
        pytest.param(
            {"algorithm": {"shaping": "dynamc"}}, "algorithm.shaping", "did you mean", id="choice"
        ),
        pytest.param(
            {"learner": {"promptsPerUpdate": 100}},
            "learner.promptsPerUpdate",
            "every update",
            id="fields-that-disagree",
        ),
        pytest.param(
            {"scheduling": {"queue": "nigth"}}, "scheduling.queue", "choose one", id="no-such-queue"
        ),
        pytest.param({"activeDeadlineSeconds": 1}, "activeDeadlineSeconds", "raise", id="deadline"),
    ],
)
def test_a_wrong_field_is_named_and_cured(
    client: TestClient, minimal: dict[str, Any], change: dict[str, Any], param: str, hint: str
) -> None:
    minimal["spec"] |= change
    for path in ("/jobs", "/jobs?dryRun=true"):
        status, code, named, cure = problem(client.post(path, json=minimal))
        assert (status, code, named) == (422, "invalid_spec", param)
        assert cure.startswith(hint)


@pytest.mark.parametrize(
    ("body", "headers", "status", "code", "param"),
    [
        pytest.param(b"", JSON, 422, "invalid_spec", "", id="empty"),
        pytest.param(b"[]", JSON, 422, "invalid_spec", "", id="list"),
        pytest.param(b"{", JSON, 422, "invalid_spec", "", id="cut-json"),
        pytest.param(b"a: [", YAML, 422, "invalid_spec", "", id="cut-yaml"),
        pytest.param(b"a: &x 1\nb: *x", YAML, 422, "invalid_spec", "", id="alias"),
        pytest.param(b"\xff\xfe{}", JSON, 422, "invalid_spec", "", id="not-utf-8"),
        pytest.param(b"[" * 5000, JSON, 422, "invalid_spec", "", id="deep"),
        pytest.param(
            b'{"a":' * 900 + b"1" + b"}" * 900,
            JSON,
            422,
            "invalid_spec",
            "apiVersion",
            id="deep-mapping",
        ),
        pytest.param(
            b'{"kind": "\\ud800"}', JSON, 422, "invalid_spec", "apiVersion", id="half-a-character"
        ),
        pytest.param(b"{}", JSON, 422, "invalid_spec", "apiVersion", id="nothing-in-it"),
        pytest.param(b"x" * 262_145, YAML, 413, "too_large", "body", id="oversize"),
        pytest.param(b"{}", {}, 415, "unsupported_media_type", "Content-Type", id="no-type"),
        pytest.param(
            b"{}",
            {"content-type": "application/x-www-form-urlencoded"},
            415,
            "unsupported_media_type",
            "Content-Type",
            id="form",
        ),
        pytest.param(
            b"{}",
            {"content-type": "application/json; charset=latin-1"},
            415,
            "unsupported_media_type",
            "Content-Type",
            id="charset",
        ),
        pytest.param(
            b"{}",
            {**JSON, "idempotency-key": ""},
            422,
            "invalid_request",
            "Idempotency-Key",
            id="empty-key",
        ),
        pytest.param(
            b"{}",
            {**JSON, "idempotency-key": "k" * 256},
            422,
            "invalid_request",
            "Idempotency-Key",
            id="long-key",
        ),
        pytest.param(
            b"{}",
            {**JSON, "idempotency-key": "schl\u00fcssel".encode("latin-1")},
            422,
            "invalid_request",
            "Idempotency-Key",
            id="key-that-is-not-ascii",
        ),
    ],
)
def test_a_body_that_holds_no_job_is_refused(
    client: TestClient, body: bytes, headers: dict[str, Any], status: int, code: str, param: str
) -> None:
    assert problem(client.post("/jobs", content=body, headers=headers))[:3] == (status, code, param)


@pytest.mark.parametrize(
    ("query", "status", "code", "param", "hint"),
    [
        ("limit=0", 422, "invalid_request", "limit", "raise it"),
        ("limit=101", 422, "invalid_request", "limit", "lower it"),
        ("limit=many", 422, "invalid_request", "limit", "write digits"),
        (f"limit={'9' * 5000}", 422, "invalid_request", "limit", "write digits"),
        ("phase=runing", 422, "invalid_request", "phase.0", "did you mean 'Running'?"),
        ("phsae=Running", 422, "invalid_request", "phsae", "did you mean phase?"),
        ("offset=20", 422, "invalid_request", "offset", ""),
        ("metadata=x", 422, "invalid_request", "metadata", ""),
        ("labels[a]=x", 422, "invalid_request", "labels[a]", ""),
        ("labelSelector=team", 422, "invalid_request", "labelSelector", "write NAME=VALUE"),
        ("labelSelector=,", 422, "invalid_request", "labelSelector", "write NAME=VALUE"),
        (f"labelSelector={','.join(['a=b'] * 65)}", 422, "invalid_request", "labelSelector", ""),
        ("createdAfter=yesterday", 422, "invalid_request", "createdAfter", "write 20"),
        ("createdAfter=2026-11-01T00:00:00", 422, "invalid_request", "createdAfter", "write 20"),
        ("queue=a%00b", 422, "invalid_request", "queue", ""),
        (f"name={'x' * 254}", 422, "invalid_request", "name", "shorten it"),
        ("cursor=nonsense", 400, "bad_cursor", "cursor", "start without one"),
        ("cursor=", 422, "invalid_request", "cursor", ""),
    ],
)
def test_a_wrong_filter_is_named_and_cured(
    client: TestClient, query: str, status: int, code: str, param: str, hint: str
) -> None:
    found = problem(client.get(f"/jobs?{query}"))
    assert found[:3] == (status, code, param)
    assert found[3].startswith(hint)


@pytest.mark.parametrize(
    ("method", "path", "status", "code", "param"),
    [
        ("GET", "/jobs/other", 404, "not_found", ""),
        ("DELETE", "/jobs/other", 404, "not_found", ""),
        ("POST", "/jobs/other:pause", 404, "not_found", ""),
        ("POST", "/jobs/other:clone", 404, "not_found", ""),
        ("GET", "/jobs/other/explain", 404, "not_found", ""),
        ("GET", "/jobs/other/manifest", 404, "not_found", ""),
        ("GET", "/jobs/cubes?uid=none", 404, "not_found", ""),
        ("GET", "/jobs/No_Name", 422, "invalid_request", "name"),
        ("GET", "/jobs/cubes?uid=%00", 422, "invalid_request", "uid"),
        ("GET", "/jobs/%00", 422, "invalid_request", "name"),
        ("GET", "/nothing", 404, "no_such_route", ""),
        ("GET", "/jobs/", 404, "no_such_route", ""),
        ("GET", "/v1", 404, "no_such_route", ""),
        ("POST", "/jobs/cubes:explode", 405, "method_not_allowed", ""),
        ("GET", "/jobs/cubes:pause", 405, "method_not_allowed", ""),
        ("DELETE", "/jobs/cubes:pause", 405, "method_not_allowed", ""),
        ("PUT", "/jobs/cubes", 405, "method_not_allowed", ""),
        ("DELETE", "/jobs", 405, "method_not_allowed", ""),
        ("GET", "/jobs/cubes/checkpoints/3:promote", 405, "method_not_allowed", ""),
        ("DELETE", "/jobs/cubes/checkpoints/3:promote", 405, "method_not_allowed", ""),
        ("DELETE", "/jobs/cubes/checkpoints/three", 422, "invalid_request", "step"),
        ("TRACE", "/jobs", 405, "method_not_allowed", ""),
        ("GET", "/healthz?deep=1", 422, "invalid_request", "deep"),
    ],
)
def test_a_wrong_path_or_method_is_a_problem(
    client: TestClient,
    minimal: dict[str, Any],
    method: str,
    path: str,
    status: int,
    code: str,
    param: str,
) -> None:
    client.post("/jobs", json=minimal)
    reply = client.request(method, path)
    assert problem(reply)[:3] == (status, code, param)
    assert ("allow" in reply.headers) == (status == 405)


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", "/jobs", "GET, POST"),
        ("PUT", "/jobs/cubes", "DELETE, GET, PATCH"),
        ("GET", "/v1/jobs/cubes:pause", "POST"),
        ("POST", "/ui/", "GET, HEAD"),
    ],
)
def test_a_wrong_method_is_told_the_right_ones(
    client: TestClient, method: str, path: str, allow: str
) -> None:
    assert client.request(method, path).headers["allow"] == allow


def test_all_broken_rules_are_told_at_once(client: TestClient, minimal: dict[str, Any]) -> None:
    minimal["spec"] |= {"rollout": {"groupSize": 1, "topP": 2}, "learner": {"numSteps": 0}}
    body = client.post("/jobs", json=minimal).json()
    params = [one["param"] for one in body["errors"]]
    assert params == ["rollout.groupSize", "rollout.topP", "learner.numSteps"]
    assert body["detail"] == body["errors"][0]["detail"]
    query = client.get("/jobs?limit=0&phase=x&createdAfter=" + "1" * 41).json()
    assert [one["param"] for one in query["errors"]] == ["limit", "phase.0", "createdAfter"]


def test_an_unavailable_store_says_when_to_come_back(
    client: TestClient, minimal: dict[str, Any], store: Any
) -> None:
    store.error = StoreUnavailableError("the database is locked; try again")
    for reply in (
        client.post("/jobs", json=minimal),
        client.get("/jobs"),
        client.get("/readyz"),
        client.post("/jobs/cubes:pause"),
    ):
        assert problem(reply)[:2] == (503, "store_unavailable")
        assert int(reply.headers["retry-after"]) >= 1
    assert client.get("/healthz").status_code == 200


def test_long_values_are_cut_in_problems(client: TestClient, minimal: dict[str, Any]) -> None:
    minimal["spec"]["seed"] = "x" * 100_000
    assert len(client.post("/jobs", content=json.dumps(minimal), headers=JSON).text) < 2000
    assert len(client.get(f"/{'x' * 10_000}").json()["detail"]) < 500
