"""Each method: the request that it sends and the answer that it reads, for both clients."""

import asyncio
import inspect
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from vppo_core.errors import InvalidSpecError
from vppo_core.spec.loading import load_job
from vppo_core.spec.status import JobPhase
from vppo_services.cli.client import AsyncClient, Client, JobFilter

Job = Callable[..., dict[str, Any]]
T0 = "2026-11-01T12:00:00Z"
MOMENT = datetime(2026, 11, 1, 12, tzinfo=UTC)
ITEMS: dict[str, Any] = {"items": []}
FILTER = JobFilter(
    phases=(JobPhase.RUNNING, JobPhase.QUEUED),
    queue="q",
    labels={"a": "1", "b": "2"},
    annotations={"x/y": "z"},
    created_after=MOMENT,
    name_contains="de",
)


@pytest.mark.parametrize(
    ("method", "arguments", "answer", "request_line"),
    [
        ("jobs", {}, ITEMS, "GET /jobs?limit=20"),
        (
            "jobs",
            {"wanted": FILTER, "limit": 5, "cursor": "c+"},
            ITEMS,
            "GET /jobs?limit=5&phase=Running&phase=Queued&queue=q&name=de"
            "&labelSelector=a%3D1%2Cb%3D2&metadata%5Bx%2Fy%5D=z"
            "&createdAfter=2026-11-01T12%3A00%3A00%2B00%3A00&cursor=c%2B",
        ),
        (
            "events",
            {"name": "demo", "after": "4"},
            ITEMS,
            "GET /jobs/demo/events?limit=1000&after=4",
        ),
        ("metrics", {"name": "demo", "limit": 3}, ITEMS, "GET /jobs/demo/metrics?limit=3"),
        ("logs", {"name": "demo", "tail": 9}, ITEMS, "GET /jobs/demo/logs?limit=1000&tail=9"),
        ("attempts", {"name": "demo"}, ITEMS, "GET /jobs/demo/attempts"),
        ("checkpoints", {"name": "demo"}, ITEMS, "GET /jobs/demo/checkpoints"),
        (
            "promote_checkpoint",
            {"name": "demo", "step": 5},
            {},
            "POST /jobs/demo/checkpoints/5:promote",
        ),
        ("delete_checkpoint", {"name": "demo", "step": 5}, {}, "DELETE /jobs/demo/checkpoints/5"),
        ("artifacts", {"name": "demo"}, ITEMS, "GET /jobs/demo/artifacts"),
        (
            "artifact",
            {"name": "demo", "path": "model/a b.json"},
            {},
            "GET /jobs/demo/artifacts/model/a%20b.json",
        ),
        ("explain", {"name": "demo"}, {"sentence": "It runs."}, "GET /jobs/demo/explain"),
        ("manifest", {"name": "demo"}, {}, "GET /jobs/demo/manifest"),
        ("schema", {"kind": "openapi"}, {}, "GET /schema/openapi"),
        (
            "usage",
            {"start": MOMENT, "group_by": "day"},
            ITEMS,
            "GET /usage?groupBy=day&from=2026-11-01T12%3A00%3A00%2B00%3A00",
        ),
        ("queues", {}, ITEMS, "GET /queues"),
        ("pools", {}, ITEMS, "GET /pools"),
        ("webhooks", {}, ITEMS, "GET /webhooks"),
        (
            "create_webhook",
            {"url": "https://x", "events": ["Created"]},
            {"id": "w", "url": "https://x", "created": T0, "secret": "s"},
            "POST /webhooks",
        ),
        ("delete_webhook", {"webhook": "w"}, {}, "DELETE /webhooks/w"),
        ("deliveries", {"webhook": "w"}, ITEMS, "GET /webhooks/w/deliveries"),
        (
            "redeliver",
            {"webhook": "w", "number": 3},
            {},
            "POST /webhooks/w/deliveries/3:redeliver",
        ),
    ],
)
def test_a_method_sends_one_request(
    server: Any,
    client: Client,
    async_client: AsyncClient,
    method: str,
    arguments: dict[str, Any],
    answer: dict[str, Any],
    request_line: str,
) -> None:
    line, _, _ = request_line.partition("?")
    verb, path = line.split(" ")
    server.json(verb, path.replace("%20", " "), answer)
    first = getattr(client, method)(**arguments)
    second = asyncio.run(getattr(async_client, method)(**arguments))
    assert first == second
    for request in server.requests:
        assert f"{request.method} {request.url.raw_path.decode()}" == request_line


@pytest.mark.parametrize("word", ["pause", "resume", "cancel"])
def test_a_verb_is_posted_and_gives_the_job(
    server: Any, client: Client, job_json: Job, word: str
) -> None:
    server.json("POST", f"/jobs/demo:{word}", job_json(), status=202)
    assert getattr(client, word)("demo").metadata.uid == "uid-of-demo"


def test_a_job_and_its_mapping_are_sent_alike(server: Any, client: Client, job_json: Job) -> None:
    head = "apiVersion: vppo.io/v1alpha1\nkind: VPPOJob\n"
    job = load_job(head + "spec: {model: {source: m}, data: {source: d}}")
    server.json("POST", "/jobs", job_json(), status=201)
    client.create(job)
    client.create(job.model_dump(mode="json", by_alias=True))
    assert server.body(0) == server.body(1)
    assert server.requests[0].headers["content-type"] == "application/json"


def test_a_replay_is_told(server: Any, client: Client, job_json: Job) -> None:
    headers = {"idempotent-replayed": "true"}
    server.answer("POST", "/jobs", httpx.Response(200, json=job_json(), headers=headers))
    created = client.create({}, idempotency_key="k", plan_hash="h")
    assert created.is_replay
    assert server.requests[0].headers["idempotency-key"] == "k"
    assert server.requests[0].headers["if-plan-match"] == "h"


def test_a_patch_may_be_of_one_version_only(server: Any, client: Client, job_json: Job) -> None:
    server.json("PATCH", "/jobs/demo", job_json())
    client.patch("demo", {"spec": {"priority": "high"}}, version="7")
    assert server.requests[0].headers["if-match"] == '"7"'
    assert server.body() == {"spec": {"priority": "high"}}


def test_a_clone_carries_its_name_and_changes(server: Any, client: Client, job_json: Job) -> None:
    server.json("POST", "/jobs/demo:clone", job_json("two"), status=201)
    client.clone("demo", new_name="two", changes={"spec": {"seed": 3}})
    assert server.body() == {"spec": {"seed": 3}, "metadata": {"name": "two"}}


def test_all_jobs_are_read_page_by_page(
    server: Any, client: Client, async_client: AsyncClient, job_json: Job
) -> None:
    async def read() -> list[str]:
        return [job.metadata.name async for job in async_client.all_jobs()]

    def page(request: Any) -> Any:
        cursor = request.url.params.get("cursor")
        name, after = {None: ("a", "1"), "1": ("b", "2"), "2": ("c", None)}[cursor]
        return httpx.Response(200, json={"items": [job_json(name)], "nextCursor": after})

    server.answer("GET", "/jobs", page)
    assert [job.metadata.name for job in client.all_jobs()] == ["a", "b", "c"]
    assert asyncio.run(read()) == ["a", "b", "c"]


def test_the_token_is_sent_and_never_shown(server: Any, client: Client) -> None:
    server.json("GET", "/queues", ITEMS)
    client.queues()
    assert server.requests[0].headers["authorization"] == "Bearer secret"
    assert "secret" not in repr(client.server)


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_a_name_that_would_be_another_path_is_refused(
    server: Any, client: Client, name: str
) -> None:
    with pytest.raises(InvalidSpecError, match="must not be empty or dots"):
        client.get(name)
    assert server.requests == []


def test_a_name_cannot_leave_its_place(server: Any, client: Client) -> None:
    with pytest.raises(Exception, match="no GET"):
        client.get("a/../b?x=1")
    assert server.requests[0].url.raw_path == b"/jobs/a%2F..%2Fb%3Fx%3D1"


def test_both_clients_have_the_same_methods() -> None:
    def methods(kind: type) -> dict[str, list[str]]:
        return {
            name: list(inspect.signature(member).parameters)
            for name, member in inspect.getmembers(kind, inspect.isfunction)
            if not name.startswith("_")
        }

    assert methods(Client) == methods(AsyncClient)
