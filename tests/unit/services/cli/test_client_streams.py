"""Streams over connections that break: nothing lost, nothing twice, and an end to patience."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from vppo_core.spec.status import JobPhase, VPPOJobStatus
from vppo_services.cli.client import ApiProblem, AsyncClient, Client, LogFilter, StreamReset
from vppo_services.cli.client.shapes import Event

Sse = Callable[..., str]
PATH = "/jobs/demo/events"
END = ("end", {"phase": "Succeeded"})


def event(seq: int) -> tuple[str, dict[str, Any], int]:
    return "event", {"seq": seq, "time": "2026-11-01T12:00:00Z", "reason": f"R{seq}"}, seq


def seqs(changes: list[Any]) -> list[int]:
    return [change.seq for change in changes if isinstance(change, Event)]


def test_status_and_events_come_typed_until_the_end(server: Any, client: Client, sse: Sse) -> None:
    server.stream(PATH, sse(("status", {"phase": "Running"}), event(1), END, event(2)))
    first, second = list(client.watch("demo"))
    assert isinstance(first, VPPOJobStatus)
    assert first.phase is JobPhase.RUNNING
    assert isinstance(second, Event)
    assert second.reason == "R1"
    assert server.requests[0].headers["accept"] == "text/event-stream"


def test_a_kind_that_nobody_knows_is_passed_over(server: Any, client: Client, sse: Sse) -> None:
    server.stream(PATH, sse(("mood", {"a": 1}), event(1), END))
    assert seqs(list(client.watch("demo"))) == [1]


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(httpx.ReadError("reset"), id="cut"),
        pytest.param(httpx.ConnectError("refused"), id="server-restarts"),
        pytest.param("", id="closed-without-a-word"),
    ],
)
def test_a_broken_stream_goes_on_behind_the_last_event(
    server: Any, client: Client, sse: Sse, trouble: str | Exception
) -> None:
    server.stream(PATH, sse(event(1), event(2)), trouble, sse(event(3), END))
    assert seqs(list(client.watch("demo"))) == [1, 2, 3]
    sent = [request.headers.get("last-event-id") for request in server.requests]
    assert sent == [None, "2", "2"]
    assert server.slept == [2.0, 4.0]


def test_an_event_cut_in_two_comes_once_and_whole(server: Any, client: Client, sse: Sse) -> None:
    half = sse(event(1), event(2))[:-10]
    server.stream(PATH, half, sse(event(2), END))
    assert seqs(list(client.watch("demo"))) == [1, 2]
    assert server.requests[1].headers["last-event-id"] == "1"


def test_the_wait_of_the_server_is_kept_to(server: Any, client: Client, sse: Sse) -> None:
    server.stream(PATH, "retry: 500\n\n" + sse(event(1))[13:], sse(END))
    list(client.watch("demo"))
    assert server.slept == [0.5]


def test_a_reset_is_told_and_forgets_the_position(server: Any, client: Client, sse: Sse) -> None:
    reset = "event: reset\nid: \ndata: {}\n\n"
    server.stream(PATH, reset, sse(event(1), END))
    changes = list(client.watch("demo", after="99"))
    assert changes[0] == StreamReset()
    assert server.requests[0].headers["last-event-id"] == "99"
    assert "last-event-id" not in server.requests[1].headers


def test_a_server_that_was_never_there_is_given_up_at_once(server: Any, client: Client) -> None:
    server.stream(PATH, httpx.ConnectError("refused"))
    with pytest.raises(ApiProblem, match="vppo serve"):
        list(client.watch("demo"))
    assert sum(server.slept) < 2.0


def test_a_server_that_went_away_is_waited_for_some_minutes(
    server: Any, client: Client, sse: Sse
) -> None:
    server.stream(PATH, sse(event(1)), httpx.ConnectError("refused"))
    with pytest.raises(ApiProblem, match="vppo serve"):
        list(client.watch("demo"))
    assert 300.0 <= sum(server.slept) < 330.0
    assert max(server.slept) == 15.0


def test_a_server_that_is_full_is_asked_again_when_it_says(
    server: Any, client: Client, sse: Sse
) -> None:
    full = httpx.Response(429, json={"detail": "too many streams"}, headers={"retry-after": "9"})
    server.answer("GET", PATH, full, httpx.Response(200, content=sse(event(1), END).encode()))
    assert seqs(list(client.watch("demo"))) == [1]
    assert server.slept == [9.0]


def test_a_job_that_is_not_there_is_an_error(server: Any, client: Client) -> None:
    server.problem("GET", PATH, 404, "not_found", "no job 'demo'")
    with pytest.raises(ApiProblem, match="no job 'demo'"):
        list(client.watch("demo"))
    assert server.slept == []


def test_a_job_that_is_gone_in_between_is_an_error_too(
    server: Any, client: Client, sse: Sse
) -> None:
    gone = httpx.Response(404, json={"code": "not_found", "detail": "gone"})
    server.answer("GET", PATH, httpx.Response(200, content=sse(event(1)).encode()), gone)
    with pytest.raises(ApiProblem, match="gone"):
        list(client.watch("demo"))


def test_log_lines_are_filtered_and_the_tail_is_asked_for_once(
    server: Any, client: Client, sse: Sse
) -> None:
    line = {"time": "12:00", "level": "warning", "message": "hot"}
    server.stream("/jobs/demo/logs", sse(("log", line, "p1")), sse(END))
    wanted = LogFilter(level="warning", attempt=2)
    lines = list(client.stream_logs("demo", wanted=wanted, tail=5))
    assert [one.message for one in lines if not isinstance(one, StreamReset)] == ["hot"]
    queries = [dict(request.url.params) for request in server.requests]
    assert queries[0] == {"level": "warning", "attempt": "2", "tail": "5"}
    assert queries[1] == {"level": "warning", "attempt": "2"}


def test_numbers_come_typed(server: Any, client: Client, sse: Sse) -> None:
    line = {"step": 3, "time": "2026-11-01T12:00:00Z", "values": {"reward_mean": 0.5, "x": None}}
    server.stream("/jobs/demo/metrics", sse(("metric", line, "p1"), END))
    (found,) = client.stream_metrics("demo")
    assert not isinstance(found, StreamReset)
    assert (found.step, found.values) == (3, {"reward_mean": 0.5, "x": None})


def test_the_other_client_follows_the_same_way(
    server: Any, async_client: AsyncClient, sse: Sse
) -> None:
    async def run() -> list[Any]:
        return [change async for change in async_client.watch("demo")]

    server.stream(PATH, sse(event(1)), httpx.ReadError("reset"), sse(event(2), END))
    assert seqs(asyncio.run(run())) == [1, 2]
    assert server.slept == [2.0, 4.0]


def test_the_other_client_gives_up_a_missing_job(async_client: AsyncClient) -> None:
    async def run() -> list[Any]:
        return [change async for change in async_client.stream_logs("demo")]

    with pytest.raises(ApiProblem, match="no GET"):
        asyncio.run(run())
