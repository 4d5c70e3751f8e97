"""Events, metrics and logs over HTTP: pages, filters, and who may open a stream."""

from typing import Any

import httpx
import pytest

from vppo_core.archive.errors import StoreUnavailableError
from vppo_services.api.auth import VIEWER

pytestmark = pytest.mark.anyio
SSE = {"Accept": "text/event-stream"}


async def test_page_of_events_leads_to_the_next_one(client: httpx.AsyncClient, bench: Any) -> None:
    bench.store.add_events(3)
    first = (await client.get("/jobs/cubes/events", params={"limit": 2})).json()
    assert [item["seq"] for item in first["items"]] == [10, 20]
    assert first["items"][0] == {
        "seq": 10,
        "time": "2026-11-01T12:00:00.000Z",
        "actor": "vppo",
        "kind": "Normal",
        "reason": "Started",
        "message": "event 10",
        "payload": {},
    }
    second = (await client.get("/jobs/cubes/events", params={"after": first["nextAfter"]})).json()
    assert [item["seq"] for item in second["items"]] == [30]
    last = (await client.get("/jobs/cubes/events", params={"after": second["nextAfter"]})).json()
    assert last == {"items": [], "nextAfter": "30"}


async def test_page_of_metrics_says_what_was_not_finite(
    client: httpx.AsyncClient, bench: Any
) -> None:
    bench.store.add_metrics(1)
    reply = await client.get("/jobs/cubes/metrics")
    assert reply.headers["vary"] == "Accept"
    assert reply.json() == {
        "items": [
            {
                "step": 1,
                "time": "2026-11-01T12:00:01.000Z",
                "values": {"reward_mean": 0.5, "kl_mean": None},
            }
        ],
        "nextAfter": "0.1",
        "isReset": False,
    }


async def test_page_behind_a_cut_starts_over_and_says_so(
    client: httpx.AsyncClient, bench: Any
) -> None:
    bench.store.add_metrics(2)
    bench.store.cuts = 1
    page = (await client.get("/jobs/cubes/metrics", params={"after": "0.9"})).json()
    assert page["isReset"] is True
    assert [item["step"] for item in page["items"]] == [1, 2]


async def test_filtered_pages_together_hold_every_line_once(
    client: httpx.AsyncClient, bench: Any
) -> None:
    for number in range(500):
        bench.store.add_log(str(number), level="error" if number % 7 == 0 else "debug")
    found, after = [], ""
    for _ in range(100):
        query = {"level": "warning", "limit": 10, "after": after}
        page = (await client.get("/jobs/cubes/logs", params=query)).json()
        found += [int(item["message"]) for item in page["items"]]
        if page["nextAfter"] == after:
            break
        after = page["nextAfter"]
    assert found == list(range(0, 500, 7))


async def test_tail_is_the_last_lines(client: httpx.AsyncClient, bench: Any) -> None:
    for number in range(450):
        bench.store.add_log(str(number))
    page = (await client.get("/jobs/cubes/logs", params={"tail": 2})).json()
    assert [item["message"] for item in page["items"]] == ["448", "449"]
    assert page["nextAfter"] == "0.450"


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        pytest.param("/jobs/nobody/events", 404, "not_found", id="unknown-job"),
        pytest.param("/jobs/cubes/events?uid=uid-2", 404, "not_found", id="another-uid"),
        pytest.param("/jobs/cubes/events?after=x", 400, "bad_cursor", id="bad-position"),
        pytest.param("/jobs/cubes/events?after=-1", 400, "bad_cursor", id="negative-position"),
        pytest.param("/jobs/cubes/events?after=%D9%A1", 400, "bad_cursor", id="arabic-digit"),
        pytest.param(
            "/jobs/cubes/logs?tail=2&after=0.1", 422, "invalid_request", id="tail-and-after"
        ),
    ],
)
@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
async def test_mistakes_are_problems_for_pages_and_streams(
    client: httpx.AsyncClient, path: str, status: int, code: str, accept: str
) -> None:
    reply = await client.get(path, headers={"Accept": accept})
    assert (reply.status_code, reply.json()["code"]) == (status, code)
    assert reply.json()["hint"]


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=1001", "limit=x", "level=loud", "attempt=0", "tail=0", "after=" + "9" * 200],
)
async def test_values_out_of_bounds_are_refused(client: httpx.AsyncClient, query: str) -> None:
    assert (await client.get(f"/jobs/cubes/logs?{query}")).status_code == 422


async def test_stream_comes_by_accept_and_ends_with_the_job(
    client: httpx.AsyncClient, bench: Any
) -> None:
    bench.store.add_events(2)
    bench.store.finish()
    reply = await client.get("/jobs/cubes/events", headers={**SSE, "Last-Event-ID": "10"})
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert "\nid: 20\n" in reply.text
    assert "\nid: 10\n" not in reply.text
    assert reply.text.endswith('event: end\ndata: {"phase":"Succeeded"}\n\n')


async def test_last_event_id_goes_before_after_and_tail(
    client: httpx.AsyncClient, bench: Any
) -> None:
    for number in range(5):
        bench.store.add_log(str(number))
    bench.store.finish()
    path = "/jobs/cubes/logs?tail=1"
    reply = await client.get(path, headers={**SSE, "Last-Event-ID": "0.3"})
    assert reply.text.count("event: log") == 2


async def test_streams_beyond_the_limit_of_a_caller_are_refused(doors: Any, bench: Any) -> None:
    slots = doors.app.state.slots
    from_ada = doors.client("ada")
    caller = type("C", (), {"name": "ada"})()
    with slots.hold(caller), slots.hold(caller):
        reply = await from_ada.get("/jobs/cubes/logs", headers=SSE)
        assert (reply.status_code, reply.json()["code"]) == (429, "too_many_streams")
        assert int(reply.headers["retry-after"]) > 0
        assert (await from_ada.get("/jobs/cubes/logs")).status_code == 200, "a page is no stream"
        bench.store.finish()
        other = await doors.client("bob").get("/jobs/cubes/logs", headers=SSE)
        assert other.status_code == 200
    assert (await from_ada.get("/jobs/cubes/logs", headers=SSE)).status_code == 200
    assert slots.open_of(caller) == 0


async def test_store_that_is_away_is_a_503_also_for_a_stream(
    client: httpx.AsyncClient, bench: Any
) -> None:
    bench.store.error = StoreUnavailableError("the database is locked; try again")
    for headers in ({}, SSE):
        reply = await client.get("/jobs/cubes/metrics", headers=headers)
        assert reply.status_code == 503
        assert reply.headers["retry-after"] == "2"


async def test_viewer_may_follow_and_a_stranger_may_not(doors: Any, bench: Any) -> None:
    bench.store.finish()
    viewer = doors.client("vera", VIEWER)
    assert (await viewer.get("/jobs/cubes/logs", headers=SSE)).status_code == 200
    stranger = doors.client("sam", "nobody")
    for path in ("events", "metrics", "logs", "attempts", "checkpoints", "artifacts"):
        assert (await stranger.get(f"/jobs/cubes/{path}")).status_code == 403
