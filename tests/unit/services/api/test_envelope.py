"""What every reply has, and what happens to a crash."""

import logging
import re
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from vppo_core.errors import VPPOError


@pytest.mark.parametrize(
    "path", ["/jobs", "/jobs/none", "/nothing", "/healthz", "/ui/", "/jobs?x=1"]
)
def test_every_reply_has_the_headers_of_a_careful_server(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"]
    assert headers["x-request-id"]


def test_the_page_may_load_its_own_scripts_and_no_others(client: TestClient) -> None:
    policy = client.get("/ui/").headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "unsafe-eval" not in policy
    assert "http" not in policy


@pytest.mark.parametrize(
    ("given", "is_kept"),
    [("build-7.a_b", True), ("x" * 65, False), ("a b", False), ("", False), ("a\tb", False)],
)
def test_a_request_id_is_kept_if_it_is_one(client: TestClient, given: str, is_kept: bool) -> None:
    reply = client.get("/nothing", headers={"x-request-id": given})
    used = reply.headers["x-request-id"]
    assert (used == given) is is_kept
    assert reply.json()["requestId"] == used
    assert is_kept or re.fullmatch("[0-9a-f]{32}", used)


def test_a_crash_is_a_problem_and_a_line_in_the_log(
    client: TestClient, store: Any, caplog: pytest.LogCaptureFixture
) -> None:
    store.error = ZeroDivisionError("a secret")
    with caplog.at_level(logging.ERROR):
        reply = client.get("/jobs")
    assert (reply.status_code, reply.json()["code"]) == (500, "internal")
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert "secret" not in reply.text
    assert reply.json()["requestId"] in caplog.text
    assert "a secret" in caplog.text


def test_an_error_of_the_rest_of_the_program_is_no_crash(client: TestClient, store: Any) -> None:
    store.error = VPPOError("learner.numSteps must be 1, got 2; lower it")
    reply = client.get("/jobs")
    assert (reply.status_code, reply.json()["param"]) == (422, "learner.numSteps")


def samples(client: TestClient) -> dict[str, float]:
    text = client.get("/metrics").text
    return {
        " ".join([sample.name, *sorted(sample.labels.values())]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_requests_are_counted_by_route(client_of: Any, minimal: dict[str, Any]) -> None:
    client = client_of()
    client.post("/jobs", json=minimal)
    for path in ("/jobs/cubes", "/jobs/other", "/nothing/1", "/nothing/2"):
        client.get(path)
    found = samples(client)
    assert found["vppo_api_requests_total /jobs 201 POST"] == 1
    assert found["vppo_api_requests_total /jobs/{name} 200 GET"] == 1
    assert found["vppo_api_requests_total /jobs/{name} 404 GET"] == 1
    assert found["vppo_api_requests_total 404 none none"] == 2
    assert found["vppo_api_request_seconds_count /jobs/{name} GET"] == 2
    assert samples(client_of()).get("vppo_api_requests_total /jobs 201 POST") is None
