"""The routes of this room in an application of their own, before a store in memory."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import Response

from vppo_core.archive.errors import JobNotFoundError, NotAllowedNowError, StoreError
from vppo_core.archive.records import (
    CheckpointRecord,
    DeliveryRecord,
    UsageRow,
    WebhookRecord,
)
from vppo_core.archive.run_records import Artifact
from vppo_core.errors import VPPOError
from vppo_core.spec.status import AttemptStatus
from vppo_services.api import files, history, streams, usage, webhooks
from vppo_services.api.auth import EDITOR, Caller
from vppo_services.api.errors import MEDIA_TYPE, ApiError, problem_json, problem_of
from vppo_services.api.limits import StreamSlots
from vppo_services.api.settings import ApiSettings

ADA = Caller("ada", (EDITOR,))
NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


class FakeJobStore:
    """What a job left behind, and webhooks; the growing files are those of another fake."""

    def __init__(self, runs: Any, folder: Path) -> None:
        self._runs = runs
        self.folder = folder
        self.files: list[str] = []
        self.stored_attempts: list[AttemptStatus] = []
        self.stored_checkpoints: dict[int, CheckpointRecord] = {}
        self.answers: dict[int, dict[str, Any]] = {}
        self.usage_asked: list[dict[str, Any]] = []
        self.hooks: dict[str, tuple[WebhookRecord, str]] = {}
        self.messages: dict[int, DeliveryRecord] = {}
        self.actors: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._runs, name)

    def within(self, namespace: str) -> "FakeJobStore":
        assert namespace == "default"
        return self

    def attempts(self, uid: str) -> Sequence[AttemptStatus]:
        del uid
        return self.stored_attempts

    def add_checkpoint(self, step: int) -> None:
        self.stored_checkpoints[step] = CheckpointRecord(
            step=step,
            uri=f"file:///runs/step-{step}",
            attempt=1,
            size_bytes=1000,
            created=NOON,
            metrics={"reward_mean": 0.5},
        )

    def checkpoints(self, uid: str) -> Sequence[CheckpointRecord]:
        del uid
        return [row for row in self.stored_checkpoints.values() if row.deleted is None]

    def promote_checkpoint(self, name: str, step: int, *, actor: str) -> CheckpointRecord:
        return self._change(name, step, actor, is_promoted=True)

    def delete_checkpoint(self, name: str, step: int, *, actor: str) -> CheckpointRecord:
        if step == max(self.stored_checkpoints):
            raise NotAllowedNowError("the newest checkpoint must stay; finish the job first")
        return self._change(name, step, actor, deleted=NOON)

    def _change(self, name: str, step: int, actor: str, **changes: Any) -> CheckpointRecord:
        self._runs.get(name)
        if step not in self.stored_checkpoints:
            raise JobNotFoundError(f"there is no checkpoint of step {step}; list them")
        self.actors.append(actor)
        self.stored_checkpoints[step] = replace(self.stored_checkpoints[step], **changes)
        return self.stored_checkpoints[step]

    def artifacts(self, uid: str) -> Sequence[Artifact]:
        del uid
        types = {".html": "text/html", ".json": "application/json", ".png": "image/png"}
        return [
            Artifact(
                path=path,
                size_bytes=1,
                modified_seconds=NOON.timestamp(),
                media_type=types.get(Path(path).suffix, "application/octet-stream"),
            )
            for path in self.files
        ]

    def artifact_path(self, uid: str, path: str) -> Path:
        """As careless as a store can be: the routes must not rely on it."""
        del uid
        return self.folder / path

    def spotlight_steps(self, uid: str) -> Sequence[int]:
        del uid
        return sorted(self.answers)

    def spotlight(self, uid: str, step: int) -> dict[str, Any]:
        del uid
        if step not in self.answers:
            raise JobNotFoundError(f"there are no answers of step {step}; list the steps")
        return self.answers[step]

    def usage(self, **asked: Any) -> Sequence[UsageRow]:
        self.usage_asked.append(asked)
        return [
            UsageRow(
                group="cubes",
                gpu_seconds_allocated=10.0,
                gpu_seconds_productive=8.0,
                gpu_seconds_lost=1.5,
                jobs=1,
            )
        ]

    def webhooks(self, *, owner: str | None = None) -> Sequence[WebhookRecord]:
        return [row for row, _ in self.hooks.values() if owner in (None, row.owner)]

    def create_webhook(
        self, url: str, *, secret: str, events: Sequence[str], owner: str
    ) -> WebhookRecord:
        row = WebhookRecord(
            id=f"wh-{len(self.hooks) + 1}",
            url=url,
            events=tuple(events),
            owner=owner,
            created=NOON,
        )
        self.hooks[row.id] = (row, secret)
        return row

    def delete_webhook(self, webhook_id: str, *, actor: str) -> None:
        self.actors.append(actor)
        del self.hooks[webhook_id]

    def add_message(self, number: int, webhook_id: str) -> None:
        self.messages[number] = DeliveryRecord(
            number=number,
            webhook_id=webhook_id,
            event_seq=7,
            body="{}",
            attempts=3,
            next_try=NOON + timedelta(minutes=1),
            delivered=None,
            last_status=500,
            last_error="the receiver answered 500",
        )

    def deliveries(self, webhook_id: str, *, limit: int = 100) -> Sequence[DeliveryRecord]:
        return [row for row in self.messages.values() if row.webhook_id == webhook_id][:limit]

    def redeliver(self, webhook_id: str, number: int, *, actor: str) -> DeliveryRecord:
        row = self.messages.get(number)
        if row is None or row.webhook_id != webhook_id:
            raise JobNotFoundError(f"there is no delivery {number}; list them")
        self.actors.append(actor)
        self.messages[number] = replace(row, next_try=NOON)
        return self.messages[number]


async def fake_resolver(host: str, port: int) -> Sequence[str]:
    del port
    known = {"hooks.example": ["93.184.216.34"], "inside.example": ["10.0.0.7"]}
    if host not in known:
        raise OSError("unknown host")
    return known[host]


async def _problem(request: Request, error: Exception) -> Response:
    told = error if isinstance(error, ApiError) else problem_of(error)  # type: ignore[arg-type]
    body = problem_json(told, instance=request.url.path, request_id="r")
    return Response(body, told.status, headers=dict(told.headers), media_type=MEDIA_TYPE)


class Doors:
    """The application, and clients of it."""

    def __init__(self, store: FakeJobStore) -> None:
        self.app = FastAPI()
        for module in (streams, history, files, usage, webhooks):
            self.app.include_router(module.router)
        self.app.state.store = store
        self.app.state.settings = ApiSettings()
        self.app.state.slots = StreamSlots(2)
        self.app.state.resolver = fake_resolver
        for kind in (ApiError, StoreError, VPPOError):
            self.app.add_exception_handler(kind, _problem)

    def client(self, name: str = "ada", group: str = EDITOR) -> httpx.AsyncClient:
        async def door(scope: Any, receive: Any, send: Any) -> None:
            await self.call(scope, receive, send, caller=Caller(name, (group,)))

        return httpx.AsyncClient(
            transport=httpx.ASGITransport(door), base_url="http://vppo", timeout=20
        )

    async def call(self, scope: Any, receive: Any, send: Any, *, caller: Caller = ADA) -> None:
        await self.app({**scope, "vppo.caller": caller}, receive, send)


@pytest.fixture
def store(bench: Any, tmp_path: Path) -> FakeJobStore:
    return FakeJobStore(bench.store, tmp_path)


@pytest.fixture
def doors(store: FakeJobStore, bench: Any) -> Doors:
    doors = Doors(store)
    doors.app.state.tails = bench.tails
    return doors


@pytest.fixture
async def client(doors: Doors) -> AsyncIterator[httpx.AsyncClient]:
    async with doors.client() as client:
        yield client
