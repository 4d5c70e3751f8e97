"""What jobs have cost, over HTTP."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.anyio


async def test_usage_is_grouped_as_asked(store: Any, client: httpx.AsyncClient) -> None:
    query = {"from": "2026-11-01", "to": "2026-11-02T12:00:00+02:00", "groupBy": "owner"}
    page = (await client.get("/usage", params=query)).json()
    assert page["items"] == [
        {
            "group": "cubes",
            "gpuSecondsAllocated": 10.0,
            "gpuSecondsProductive": 8.0,
            "gpuSecondsLost": 1.5,
            "jobs": 1,
        }
    ]
    assert store.usage_asked == [
        {
            "start": datetime(2026, 11, 1, tzinfo=UTC),
            "end": datetime(2026, 11, 2, 10, tzinfo=UTC),
            "group_by": "owner",
        }
    ]


async def test_without_times_it_is_the_last_month(store: Any, client: httpx.AsyncClient) -> None:
    assert (await client.get("/usage")).status_code == 200
    asked = store.usage_asked[0]
    assert asked["end"] - asked["start"] == timedelta(days=30)
    assert abs(asked["end"] - datetime.now(UTC)) < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("query", "param"),
    [
        pytest.param("from=2026-11-02&to=2026-11-01", "from", id="backwards"),
        pytest.param("from=2026-11-01&to=2026-11-01", "from", id="nothing-between"),
        pytest.param("from=2025-01-01&to=2026-11-01", "from", id="more-than-a-year"),
        pytest.param("from=yesterday", "from", id="no-time"),
        pytest.param("to=2026-11-01T00:00:00", "to", id="no-zone"),
        pytest.param("to=2026-11-01T00:00:00+02:00", "to", id="plus-not-encoded"),
        pytest.param("to=0001-01-01T00:00:00%2B14:00", "to", id="before-all-time"),
        pytest.param("to=0001-01-01", "to", id="nothing-is-a-month-before"),
    ],
)
async def test_wrong_times_are_refused_with_a_cure(
    client: httpx.AsyncClient, query: str, param: str
) -> None:
    reply = await client.get(f"/usage?{query}")
    problem = reply.json()
    assert (reply.status_code, problem["code"]) == (422, "invalid_request")
    assert problem["param"] == param
    assert problem["hint"]


async def test_unknown_group_is_refused(client: httpx.AsyncClient) -> None:
    assert (await client.get("/usage?groupBy=team")).status_code == 422
