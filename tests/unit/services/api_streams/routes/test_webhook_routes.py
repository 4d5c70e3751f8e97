"""Webhooks over HTTP."""

from typing import Any

import httpx
import pytest

from vppo_services.api.auth import VIEWER
from vppo_services.api.webhooks import MAX_PER_OWNER

pytestmark = pytest.mark.anyio
URL = "https://hooks.example/vppo?room=1"


async def test_secret_is_made_and_shown_once(store: Any, client: httpx.AsyncClient) -> None:
    reply = await client.post("/webhooks", json={"url": URL, "events": ["Succeeded", "Failed"]})
    made = reply.json()
    assert reply.status_code == 201
    assert reply.headers["cache-control"] == "no-store"
    assert len(made["secret"]) >= 32
    assert store.hooks[made["id"]][1] == made["secret"]
    shown = (await client.get("/webhooks")).json()["items"]
    assert shown == [{key: value for key, value in made.items() if key != "secret"}]
    other = (await client.post("/webhooks", json={"url": URL})).json()
    assert other["secret"] != made["secret"]
    assert other["events"] == []


async def test_given_secret_is_used(store: Any, client: httpx.AsyncClient) -> None:
    body = {"url": URL, "secret": "0123456789abcdef"}
    made = (await client.post("/webhooks", json=body)).json()
    assert made["secret"] == body["secret"] == store.hooks[made["id"]][1]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"url": URL, "secret": "0123456789abcde"}, id="short-secret"),
        pytest.param({"url": URL, "secret": "0123456789abcde\n"}, id="line-break-in-the-secret"),
        pytest.param({"url": URL, "events": ["no reason"]}, id="event-with-a-space"),
        pytest.param({"url": URL, "events": ["A"] * 33}, id="too-many-events"),
        pytest.param({"url": URL, "scheme": "basic"}, id="unknown-field"),
        pytest.param({"events": []}, id="no-url"),
        pytest.param({"url": "x" * 3000}, id="long-url"),
    ],
)
async def test_wrong_body_is_refused(
    store: Any, client: httpx.AsyncClient, body: dict[str, Any]
) -> None:
    assert (await client.post("/webhooks", json=body)).status_code == 422
    assert store.hooks == {}


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("https://inside.example/", id="private-address"),
        pytest.param("https://nowhere.example/", id="unknown-host"),
        pytest.param("ftp://hooks.example/", id="scheme"),
        pytest.param("https://ada:hunter2@hooks.example/", id="credentials"),
    ],
)
async def test_refused_target_names_url_and_cure(
    store: Any, client: httpx.AsyncClient, url: str
) -> None:
    reply = await client.post("/webhooks", json={"url": url})
    problem = reply.json()
    assert (reply.status_code, problem["code"], problem["param"]) == (422, "invalid_request", "url")
    assert problem["hint"]
    assert "hunter2" not in problem["detail"]
    assert store.hooks == {}


async def test_private_target_passes_where_the_operator_allows_it(
    doors: Any, client: httpx.AsyncClient
) -> None:
    settings = doors.app.state.settings
    doors.app.state.settings = settings.model_copy(update={"allow_private_webhooks": True})
    reply = await client.post("/webhooks", json={"url": "https://inside.example/"})
    assert reply.status_code == 201


async def test_nobody_sees_or_touches_the_webhooks_of_another(
    store: Any, doors: Any, client: httpx.AsyncClient
) -> None:
    made = (await client.post("/webhooks", json={"url": URL})).json()
    store.add_message(1, made["id"])
    bob = doors.client("bob")
    assert (await bob.get("/webhooks")).json()["items"] == []
    place = f"/webhooks/{made['id']}"
    for method, path in (
        ("DELETE", place),
        ("GET", f"{place}/deliveries"),
        ("POST", f"{place}/deliveries/1:redeliver"),
    ):
        assert (await bob.request(method, path)).status_code == 404
    assert list(store.hooks) == [made["id"]]
    assert store.actors == []


async def test_message_is_shown_and_sent_again(store: Any, client: httpx.AsyncClient) -> None:
    made = (await client.post("/webhooks", json={"url": URL})).json()
    store.add_message(1, made["id"])
    place = f"/webhooks/{made['id']}/deliveries"
    assert (await client.get(place)).json()["items"] == [
        {
            "number": 1,
            "eventSeq": 7,
            "attempts": 3,
            "delivered": None,
            "nextTry": "2026-11-01T12:01:00Z",
            "lastStatus": 500,
            "lastError": "the receiver answered 500",
        }
    ]
    reply = await client.post(f"{place}/1:redeliver")
    assert (reply.status_code, reply.json()["nextTry"]) == (202, "2026-11-01T12:00:00Z")
    assert (await client.post(f"{place}/2:redeliver")).status_code == 404
    assert (await client.post(f"{place}/{2**64}:redeliver")).status_code == 422


async def test_webhook_can_be_deleted(store: Any, client: httpx.AsyncClient) -> None:
    made = (await client.post("/webhooks", json={"url": URL})).json()
    assert (await client.delete(f"/webhooks/{made['id']}")).status_code == 204
    assert store.hooks == {}
    assert (await client.delete(f"/webhooks/{made['id']}")).status_code == 404


async def test_caller_has_no_more_than_so_many(store: Any, client: httpx.AsyncClient) -> None:
    for _ in range(MAX_PER_OWNER):
        store.create_webhook(URL, secret="s", events=(), owner="ada")
    reply = await client.post("/webhooks", json={"url": URL})
    assert (reply.status_code, reply.json()["code"]) == (409, "not_allowed_now")


async def test_viewer_makes_no_webhook(store: Any, doors: Any) -> None:
    reply = await doors.client("vera", VIEWER).post("/webhooks", json={"url": URL})
    assert reply.status_code == 403
    assert store.hooks == {}
