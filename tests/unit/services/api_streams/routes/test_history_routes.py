"""Attempts and checkpoints over HTTP."""

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from vppo_core.spec.status import AttemptStatus, Outcome
from vppo_services.api.auth import VIEWER

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("outcome", "first", "last", "saved", "lost"),
    [
        pytest.param(Outcome.FAILED, 0, 17, 10, 7, id="failed-behind-a-checkpoint"),
        pytest.param(Outcome.LOST, 10, 17, 0, 7, id="lost-before-its-first-checkpoint"),
        pytest.param(Outcome.STOPPED, 0, 12, 12, 0, id="saved-before-it-stopped"),
        pytest.param(Outcome.STOPPED, 0, 12, 10, 2, id="stopped-by-force"),
        pytest.param(Outcome.SUCCEEDED, 0, 20, 10, 0, id="success-loses-nothing"),
        pytest.param(None, 0, 17, 10, 0, id="alive"),
        pytest.param(Outcome.FAILED, 10, 0, 0, 0, id="never-did-a-step"),
    ],
)
async def test_attempt_tells_the_steps_that_it_lost(
    store: Any,
    client: httpx.AsyncClient,
    outcome: Outcome | None,
    first: int,
    last: int,
    saved: int,
    lost: int,
) -> None:
    store.stored_attempts = [
        AttemptStatus(
            index=1,
            created=datetime(2026, 11, 1, tzinfo=UTC),
            outcome=outcome,
            first_step=first,
            last_step=last,
            checkpoint_step=saved,
        )
    ]
    page = (await client.get("/jobs/cubes/attempts")).json()
    assert page["items"][0]["lostSteps"] == lost
    assert page["items"][0]["lastStep"] == last
    assert page["nextCursor"] is None


async def test_checkpoints_can_be_kept_and_removed(store: Any, client: httpx.AsyncClient) -> None:
    for step in (10, 20):
        store.add_checkpoint(step)
    kept = await client.post("/jobs/cubes/checkpoints/10:promote")
    assert (kept.status_code, kept.json()["isPromoted"]) == (202, True)
    removed = await client.delete("/jobs/cubes/checkpoints/10")
    assert removed.status_code == 202
    items = (await client.get("/jobs/cubes/checkpoints")).json()["items"]
    assert items == [
        {
            "step": 20,
            "uri": "file:///runs/step-20",
            "attempt": 1,
            "sizeBytes": 1000,
            "created": "2026-11-01T12:00:00Z",
            "metrics": {"reward_mean": 0.5},
            "isPromoted": False,
        }
    ]
    assert store.actors == ["ada", "ada"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        pytest.param("POST", "/jobs/cubes/checkpoints/99:promote", 404, id="unknown-step"),
        pytest.param("POST", "/jobs/nobody/checkpoints/20:promote", 404, id="unknown-job"),
        pytest.param("DELETE", "/jobs/cubes/checkpoints/20", 409, id="newest-one"),
        pytest.param("DELETE", "/jobs/cubes/checkpoints/-1", 422, id="negative-step"),
        pytest.param("DELETE", "/jobs/cubes/checkpoints/9999999999999999999", 422, id="huge-step"),
        pytest.param("POST", "/jobs/cubes/checkpoints/x:promote", 422, id="no-number"),
        pytest.param("GET", "/jobs/A%00/checkpoints", 422, id="no-name"),
    ],
)
async def test_what_cannot_be_done_says_so(
    store: Any, client: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    store.add_checkpoint(20)
    assert (await client.request(method, path)).status_code == status


async def test_viewer_changes_no_checkpoint(store: Any, doors: Any) -> None:
    store.add_checkpoint(20)
    viewer = doors.client("vera", VIEWER)
    for method, path in (("POST", "20:promote"), ("DELETE", "20")):
        reply = await viewer.request(method, f"/jobs/cubes/checkpoints/{path}")
        assert reply.status_code == 403
    assert store.actors == []
