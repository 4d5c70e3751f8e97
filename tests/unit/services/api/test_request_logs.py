"""A request is found again in the server's log, and in the job that it made; its token nowhere."""

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.services.api.conftest import client_to
from vppo_core.logs import send_to
from vppo_core.spec.origin import REQUEST_ID
from vppo_services.api.app import create_app
from vppo_services.api.settings import ApiSettings

TOKEN = "s3cr3t-token-of-ann-0123456789"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before = list(root.handlers)
    stream = io.StringIO()
    send_to(stream, role="api", style="json", level=logging.INFO, only_ours=True)
    yield stream
    for handler in [one for one in root.handlers if one not in before]:
        root.removeHandler(handler)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_job_is_found_by_its_request(
    client_of: Any, store: Any, stream: io.StringIO, minimal: dict[str, Any]
) -> None:
    reply = client_of().post("/jobs", json=minimal, headers={"X-Request-ID": "build-7"})
    assert reply.headers["x-request-id"] == "build-7"
    assert store.get("cubes").annotations[REQUEST_ID] == "build-7"
    assert reply.json()["metadata"]["annotations"] == {REQUEST_ID: "build-7"}
    [line] = lines(stream)
    assert (line["request"], line["job"], line["role"]) == ("build-7", "cubes", "api")
    assert line["message"].startswith("POST /jobs: 201 in ")


def test_a_request_without_an_id_gets_one(
    client_of: Any, store: Any, stream: io.StringIO, minimal: dict[str, Any]
) -> None:
    reply = client_of().post("/jobs", json=minimal, headers={"X-Request-ID": "a b"})
    made = reply.headers["x-request-id"]
    assert store.get("cubes").annotations[REQUEST_ID] == made == lines(stream)[0]["request"]


def test_a_clone_is_of_its_own_request(client_of: Any, minimal: dict[str, Any]) -> None:
    client = client_of()
    client.post("/jobs", json=minimal, headers={"X-Request-ID": "first"})
    reply = client.post(
        "/jobs/cubes:clone", json={"name": "again"}, headers={"X-Request-ID": "second"}
    )
    assert reply.json()["metadata"]["annotations"] == {REQUEST_ID: "second"}


def test_reads_leave_no_line_and_refusals_of_changes_do(
    client_of: Any, stream: io.StringIO
) -> None:
    client = client_of()
    client.get("/jobs")
    assert lines(stream) == []
    client.patch("/jobs/none", json={})
    assert [line["message"].split(" in ")[0] for line in lines(stream)] == ["PATCH /jobs/none: 404"]


def test_no_token_is_ever_logged(
    store: Any, stream: io.StringIO, tmp_path: Path, minimal: dict[str, Any]
) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text(f"{TOKEN} ann\n")
    tokens.chmod(0o600)
    client = client_to(create_app(store, ApiSettings(token_file=tokens)))
    asked = {"Authorization": f"Bearer {TOKEN}"}
    assert client.post("/jobs", json=minimal, headers=asked).status_code == 201
    client.post(f"/jobs?token={TOKEN}", json=minimal, headers=asked)
    client.delete(f"/jobs/{TOKEN}", headers={"Authorization": f"Basic {TOKEN}"})
    store.error = RuntimeError(f"Authorization: Bearer {TOKEN}")
    assert client.get("/jobs", headers=asked).status_code == 500
    text = stream.getvalue()
    assert "request" in text
    assert "Authorization: Bearer" in text
    assert TOKEN not in text.replace(f"DELETE /jobs/{TOKEN}", "")
