"""The receiver lets in whom it should, and says what an attempt has to know."""

import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from tests.sim.receiver_server import ReceiverServer
from vppo_core.kube.errors import KubeUnavailableError
from vppo_core.kube.kinds import TOKEN_REVIEWS
from vppo_core.runs.files import StopFile, write_json

BASE = "/v1/runs/team/colours/uid-1/2"
NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


def report(client: httpx.Client, path: str = BASE, **headers: str) -> httpx.Response:
    body = {"incarnation": "one", "files": {"metrics.jsonl": 0}}
    return client.post(f"{path}/report", json=body, headers=headers)


def put(client: httpx.Client, path: str, data: bytes = b"x", **query: Any) -> httpx.Response:
    return client.put(f"{BASE}/files/{path}", content=data, params=query)


def reviews(server: ReceiverServer) -> int:
    return sum(call.kind == TOKEN_REVIEWS for call in server.kube.calls)


@pytest.mark.parametrize(
    ("header", "status"),
    [
        pytest.param("", 401, id="none"),
        pytest.param("good", 401, id="no-scheme"),
        pytest.param("Bearer wrong", 401, id="unknown"),
        pytest.param("Bearer of-another-job", 401, id="audience-of-another-job"),
        pytest.param("Bearer of-another-namespace", 403, id="account-of-another-namespace"),
        pytest.param("bearer good", 200, id="good"),
    ],
)
def test_only_a_token_of_this_job_is_let_in(
    server: ReceiverServer, client: httpx.Client, header: str, status: int
) -> None:
    server.allow("of-another-job", namespace="team", job="other")
    server.allow("of-another-namespace", namespace="team", job="colours", account_of="team:x")
    assert report(client, Authorization=header).status_code == status
    assert (server.folder / "uid-1").exists() == (status == 200)
    assert server.reported == ([("team", "colours")] if status == 200 else [])


def test_a_review_counts_for_a_minute_and_a_token_is_never_a_key(
    server: ReceiverServer, client: httpx.Client
) -> None:
    for _ in range(3):
        assert report(client).status_code == 200
    assert reviews(server) == 1
    del server.kube.reviews.accounts["good"]
    server.seconds = 59.0
    assert report(client).status_code == 200
    server.seconds = 61.0
    assert report(client).status_code == 401
    server.allow("good", namespace="team", job="colours")
    server.seconds = 70.0
    assert report(client).status_code == 200, "a refusal is forgotten sooner"


def test_an_api_server_that_is_away_is_no_refusal(
    server: ReceiverServer, client: httpx.Client
) -> None:
    server.kube.is_unavailable = True
    assert report(client).status_code == 503
    server.kube.is_unavailable = False
    assert report(client).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/v1/runs/team/colours/uid-2/2",
        "/v1/runs/team/colours/uid-1/1",
        "/v1/runs/team/colours/uid-1/two",
        "/v1/runs/team/colours/uid-1/²",
        "/v1/runs/team/colours/../2",
        "/v1/runs/team/colours/%2e%2e/2",
    ],
)
def test_an_attempt_that_nobody_knows_is_not_found(
    server: ReceiverServer, client: httpx.Client, path: str
) -> None:
    assert report(client, path).status_code == 404
    assert not server.folder.exists()


def test_not_knowing_yet_is_not_the_same_as_not_found(
    server: ReceiverServer, client: httpx.Client
) -> None:
    class Unknown(set[tuple[str, str, str, int]]):
        def __contains__(self, attempt: object) -> bool:
            raise KubeUnavailableError("the first list is on its way")

    server.known = Unknown()
    assert report(client).status_code == 503


def test_a_report_is_answered_with_what_is_there_and_what_is_wanted(
    server: ReceiverServer, client: httpx.Client
) -> None:
    first = report(client).json()
    assert first["stop"] is None
    assert first["sizes"] == {"metrics.jsonl": 0}
    launched = server.folder / "uid-1" / "attempts" / "2" / "launched"
    assert launched.exists(), "evidence that the attempt was started"

    assert put(client, "metrics.jsonl", b"12345", offset=0).json() == {"size": 5}
    stop = StopFile(reason="Paused", requested=NOON, deadline=NOON)
    write_json(launched.with_name("stop.json"), stop)
    second = report(client).json()
    assert second["sizes"] == {"metrics.jsonl": 5}
    assert second["tails"]["metrics.jsonl"] == "cbf53a1c"  # CRC-32 of 12345
    assert StopFile.model_validate(second["stop"]) == stop
    assert second["mirror"] == first["mirror"]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'{"files": {}}', b'{"incarnation": "x", "files": {"a": "b"}}', b"\xff"],
)
def test_a_bad_report_is_a_bad_request(
    server: ReceiverServer, client: httpx.Client, body: bytes
) -> None:
    assert client.post(f"{BASE}/report", content=body).status_code == 400
    assert not server.folder.exists()


def test_news_wake_the_job_and_logs_do_not(server: ReceiverServer, client: httpx.Client) -> None:
    put(client, "log.jsonl", offset=0)
    assert server.reported == []
    put(client, "attempts/2/progress.json", replace="true")
    put(client, "checkpoints.jsonl", offset=0)
    put(client, "attempts/2/exit.json", replace="true")
    assert server.reported == [("team", "colours")] * 3


def test_a_disk_that_refuses_asks_to_come_back(
    server: ReceiverServer, client: httpx.Client
) -> None:
    server.folder.parent.mkdir(exist_ok=True)
    server.folder.write_text("a file in the way")
    assert report(client).status_code == 503
    assert put(client, "log.jsonl", offset=0).status_code == 503


def test_answers_name_no_token(client: httpx.Client) -> None:
    answer = report(client, Authorization="Bearer very-secret")
    assert "very-secret" not in answer.text
    assert json.loads(answer.text)["code"] == "unauthorized"
