"""Whom the API serves."""

from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

TOKENS = """\
# who may do what
aaaaaaaaaaaaaaaa ada editor   # the first programmer
vvvvvvvvvvvvvvvv vic viewer
eeeeeeeeeeeeeeee eve
"""


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "tokens"
    path.write_text(TOKENS)
    return path


@pytest.fixture
def guarded(client_of: Any, token_file: Path) -> TestClient:
    client: TestClient = client_of(
        token_file=token_file, host="0.0.0.0", peer="203.0.113.7", base_url="https://vppo.example"
    )
    return client


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


@pytest.mark.parametrize("host", ["localhost", "localhost:8080", "127.0.0.1:1", "[::1]:8080"])
@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
def test_without_tokens_this_machine_is_served(client_of: Any, host: str, peer: str) -> None:
    assert client_of(peer=peer).get("/jobs", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    ("peer", "headers", "param"),
    [
        pytest.param("192.0.2.7", {}, "", id="another-machine"),
        pytest.param("::ffff:192.0.2.7", {}, "", id="another-machine-by-ipv6"),
        pytest.param("", {}, "", id="from-nowhere"),
        pytest.param("127.0.0.1", {"host": "evil.example"}, "Host", id="rebound-name"),
        pytest.param("127.0.0.1", {"host": "localhost.evil.example"}, "Host", id="near-name"),
        pytest.param("127.0.0.1", {"host": "localhost@evil.example"}, "Host", id="user"),
        pytest.param("127.0.0.1", {"host": "127.0.0.1.nip.io"}, "Host", id="wildcard-name"),
        pytest.param("127.0.0.1", {"host": "localhost:http"}, "Host", id="no-port"),
        pytest.param("127.0.0.1", {"host": ""}, "Host", id="no-host"),
        pytest.param("127.0.0.1", {"host": "[::1"}, "Host", id="cut-host"),
        pytest.param("127.0.0.1", {"x-forwarded-for": "192.0.2.7"}, "", id="through-a-proxy"),
    ],
)
def test_without_tokens_nobody_else_is_served(
    client_of: Any, peer: str, headers: dict[str, str], param: str
) -> None:
    for path in ("/jobs", "/ui/", "/healthz", "/nothing"):
        reply = client_of(peer=peer).get(path, headers=headers)
        assert (reply.status_code, reply.json()["code"]) == (403, "not_local")
        assert reply.json()["param"] == param


@pytest.mark.parametrize(
    "headers",
    [
        {},
        bearer("aaaaaaaaaaaaaaab"),
        bearer("ada"),
        bearer(""),
        {"authorization": "Basic YWRhOmFkYQ=="},
        {"authorization": "Bearer"},
        {"authorization": b"Bearer \xff\xfe"},
    ],
)
@pytest.mark.parametrize(
    "path", ["/jobs", "/v1/jobs", "/nothing", "/schema/openapi", "/v1/", "/uix"]
)
def test_a_caller_needs_a_token(guarded: TestClient, path: str, headers: Any) -> None:
    reply = guarded.get(path, headers=headers)
    assert (reply.status_code, reply.json()["code"]) == (401, "unauthenticated")
    assert reply.headers["www-authenticate"] == 'Bearer realm="vppo"'


@pytest.mark.parametrize(
    "path",
    [
        "/healthz",
        "/readyz",
        "/metrics",
        "/metrics/targets",
        "/v1/metrics/targets",
        "/v1/healthz",
        "/ui/",
        "/",
    ],
)
def test_some_paths_need_no_token(guarded: TestClient, path: str) -> None:
    assert guarded.get(path).status_code == 200


def test_a_token_says_who_owns_a_job(
    guarded: TestClient, minimal: dict[str, Any], store: Any
) -> None:
    for scheme in ("Bearer", "bearer"):
        headers = {"authorization": f"{scheme} aaaaaaaaaaaaaaaa"}
        minimal["metadata"]["name"] = scheme.lower() + scheme[0].lower()
        guarded.post("/jobs", json=minimal, headers=headers)
        store.finish(minimal["metadata"]["name"])
    assert {record.owner for record in store.records} == {"ada"}


def test_one_key_of_two_callers_is_two_keys(guarded: TestClient, minimal: dict[str, Any]) -> None:
    del minimal["metadata"]
    for token in ("a" * 16, "e" * 16):
        headers = {**bearer(token), "idempotency-key": "k"}
        assert guarded.post("/jobs", json=minimal, headers=headers).status_code == 201


@pytest.mark.parametrize(
    ("method", "path", "what"),
    [
        ("POST", "/jobs", "create vppojobs"),
        ("POST", "/jobs/cubes:clone", "create vppojobs"),
        ("POST", "/jobs/cubes:pause", "patch vppojobs"),
        ("PATCH", "/jobs/cubes", "patch vppojobs"),
        ("DELETE", "/jobs/cubes", "delete vppojobs"),
        ("POST", "/webhooks", "create webhooks"),
    ],
)
def test_a_viewer_changes_nothing(
    guarded: TestClient, minimal: dict[str, Any], store: Any, method: str, path: str, what: str
) -> None:
    guarded.post("/jobs", json=minimal, headers=bearer("a" * 16))
    before = store.records
    body = {"url": "https://vppo.example/"} if path == "/webhooks" else minimal
    reply = guarded.request(method, path, json=body, headers=bearer("v" * 16))
    assert (reply.status_code, reply.json()["code"]) == (403, "forbidden")
    assert what in reply.json()["detail"]
    assert store.records == before
    assert guarded.get("/jobs/cubes", headers=bearer("v" * 16)).status_code == 200


@pytest.mark.parametrize(
    ("origin", "host", "is_served"),
    [
        ("http://localhost:8080", "localhost:8080", True),
        ("http://localhost", "localhost:80", True),
        ("http://LOCALHOST:8080", "localhost:8080", True),
        ("http://localhost:3000", "localhost:8080", False),
        ("http://127.0.0.1:8080", "localhost:8080", False),
        ("https://evil.example", "localhost:8080", False),
        ("null", "localhost:8080", False),
        ("http://[", "localhost:8080", False),
        ("", "localhost:8080", False),
    ],
)
def test_a_page_of_another_origin_changes_nothing(
    client: TestClient, minimal: dict[str, Any], origin: str, host: str, is_served: bool
) -> None:
    headers = {"origin": origin, "host": host}
    reply = client.post("/jobs", json=minimal, headers=headers)
    assert reply.status_code == (201 if is_served else 403)
    assert is_served or reply.json()["code"] == "cross_origin"
    # Reading is harmless: without a permission in the reply, the browser hides it from the page.
    read = client.get("/jobs", headers=headers)
    assert read.status_code == 200
    assert "access-control-allow-origin" not in read.headers


def test_a_page_behind_tls_is_of_the_same_origin(
    guarded: TestClient, minimal: dict[str, Any]
) -> None:
    headers = {**bearer("a" * 16), "origin": "https://vppo.example"}
    assert guarded.post("/jobs", json=minimal, headers=headers).status_code == 201


def test_guessing_tokens_is_slow(client_of: Any, token_file: Path) -> None:
    client = client_of(token_file=token_file, burst=3, rate=0.01)
    guesses = [client.get("/jobs", headers=bearer("g" * 16)).status_code for _ in range(5)]
    assert guesses == [401, 401, 401, 429, 429]
    assert client.get("/jobs", headers=bearer("a" * 16)).status_code == 200
