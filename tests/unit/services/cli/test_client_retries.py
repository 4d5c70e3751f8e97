"""What is tried again, how often, and how long later; the same for both clients."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from vppo_services.cli.client import ApiProblem, AsyncClient, Client

Job = Callable[..., dict[str, Any]]
DOCUMENT: dict[str, Any] = {"spec": {}}


def refusal(status: int, **headers: str) -> httpx.Response:
    return httpx.Response(status, json={"code": "c", "detail": "not now"}, headers=headers)


BUSY = pytest.param(refusal(503), id="busy")
TOO_FAST = pytest.param(refusal(429), id="too-fast")
REFUSED = pytest.param(httpx.ConnectError("refused"), id="nobody-listens")
CUT = pytest.param(httpx.ReadError("reset"), id="cut")
SLOW = pytest.param(httpx.ReadTimeout("slow"), id="slow")
GATEWAY = pytest.param(refusal(502), id="gateway")


@pytest.mark.parametrize("trouble", [BUSY, TOO_FAST, REFUSED, CUT, SLOW, GATEWAY])
def test_reading_is_tried_again(server: Any, client: Client, job_json: Job, trouble: Any) -> None:
    server.answer("GET", "/jobs/demo", trouble, trouble, httpx.Response(200, json=job_json()))
    assert client.get("demo").metadata.name == "demo"
    assert server.slept == [0.2, 0.4]


@pytest.mark.parametrize("trouble", [BUSY, REFUSED, CUT, GATEWAY])
def test_creating_is_tried_again_with_the_same_key(
    server: Any, client: Client, job_json: Job, trouble: Any
) -> None:
    server.answer("POST", "/jobs", trouble, httpx.Response(201, json=job_json()))
    client.create(DOCUMENT)
    keys = [request.headers["idempotency-key"] for request in server.requests]
    assert len(keys) == 2
    assert len(set(keys)) == 1


def test_two_calls_have_two_keys(server: Any, client: Client, job_json: Job) -> None:
    server.json("POST", "/jobs", job_json(), status=201)
    client.create(DOCUMENT)
    client.create(DOCUMENT)
    assert len({request.headers["idempotency-key"] for request in server.requests}) == 2


@pytest.mark.parametrize("trouble", [CUT, SLOW, GATEWAY])
def test_what_may_have_happened_is_not_done_twice(
    server: Any, client: Client, trouble: Any
) -> None:
    server.answer("POST", "/jobs/demo:clone", trouble)
    with pytest.raises(ApiProblem):
        client.clone("demo")
    assert len(server.requests) == 1


def test_a_clone_with_a_name_may_be_sent_twice(server: Any, client: Client, job_json: Job) -> None:
    cut = httpx.ReadError("reset")
    server.answer("POST", "/jobs/demo:clone", cut, httpx.Response(201, json=job_json("two")))
    client.clone("demo", new_name="two")
    assert len({request.headers["idempotency-key"] for request in server.requests}) == 1


@pytest.mark.parametrize("trouble", [BUSY, TOO_FAST, REFUSED])
def test_what_surely_did_not_happen_is_done_again(
    server: Any, client: Client, job_json: Job, trouble: Any
) -> None:
    server.answer("POST", "/jobs/demo:clone", trouble, httpx.Response(201, json=job_json("two")))
    assert client.clone("demo").metadata.name == "two"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 500])
def test_a_refusal_for_good_is_not_tried_again(server: Any, client: Client, status: int) -> None:
    server.answer("GET", "/jobs/demo", refusal(status))
    with pytest.raises(ApiProblem):
        client.get("demo")
    assert (len(server.requests), server.slept) == (1, [])


def test_the_server_says_when(server: Any, client: Client, job_json: Job) -> None:
    busy = refusal(503, **{"retry-after": "7"})
    server.answer("GET", "/jobs/demo", busy, httpx.Response(200, json=job_json()))
    client.get("demo")
    assert server.slept == [7.0]


def test_a_wait_of_an_hour_is_not_waited_for(server: Any, client: Client) -> None:
    server.answer("GET", "/jobs/demo", refusal(429, **{"retry-after": "3600"}))
    with pytest.raises(ApiProblem, match="not now"):
        client.get("demo")
    assert server.slept == []


def test_after_four_tries_the_problem_stands(server: Any, client: Client) -> None:
    server.answer("GET", "/jobs/demo", httpx.ConnectError("[Errno 111] Connection refused"))
    with pytest.raises(ApiProblem) as caught:
        client.get("demo")
    assert len(server.requests) == 4
    assert (caught.value.exit_code, caught.value.code) == (6, "unreachable")
    assert str(caught.value) == (
        "the server must be reachable at 'http://api', got no connection (Connection refused); "
        "start it with `vppo serve`, or give --server"
    )


def test_the_other_client_does_the_same(
    server: Any, async_client: AsyncClient, job_json: Job
) -> None:
    async def run() -> str:
        async with async_client as client:
            return (await client.get("demo")).metadata.name

    cut = httpx.ReadError("reset")
    server.answer("GET", "/jobs/demo", cut, refusal(503), httpx.Response(200, json=job_json()))
    assert asyncio.run(run()) == "demo"
    assert server.slept == [0.2, 0.4]


def test_the_other_client_gives_up_the_same_way(server: Any, async_client: AsyncClient) -> None:
    server.answer("GET", "/jobs/demo", refusal(404))
    with pytest.raises(ApiProblem) as caught:
        asyncio.run(async_client.get("demo"))
    assert (caught.value.exit_code, len(server.requests)) == (4, 1)
