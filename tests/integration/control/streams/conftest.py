"""A real server in a thread before a store in memory, and real receivers of webhooks."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from vppo_core.archive.errors import JobNotFoundError
from vppo_core.archive.records import DeliveryRecord, EventRecord, JobRecord, WebhookRecord
from vppo_core.archive.run_records import Artifact, Lines, LogLine, MetricsLine
from vppo_core.spec.status import JobPhase
from vppo_services.api.app import create_app
from vppo_services.api.lifespan import end_streams
from vppo_services.api.settings import ApiSettings

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
DEADLINE_SECONDS = 30.0


def wait_until(holds: Callable[[], bool], what: str) -> None:
    limit = time.monotonic() + DEADLINE_SECONDS
    while not holds():
        assert time.monotonic() < limit, f"it never came: {what}"
        time.sleep(0.02)


class FakeLiveStore:
    """One job whose events and log grow while it is served."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.phase = JobPhase.RUNNING
        self.seqs: list[int] = []
        self.lines: list[str] = []

    def get(self, name: str, *, uid: str | None = None) -> JobRecord:
        if name != "cubes" or uid not in (None, "uid-1"):
            raise JobNotFoundError(f"there is no job named {name!r}; list the jobs")
        return JobRecord(
            uid="uid-1",
            name="cubes",
            namespace="default",
            owner="local",
            labels={},
            annotations={},
            spec_json="{}",
            status_json=json.dumps({"phase": self.phase.value, "progress": {"step": 0}}),
            spec_hash="",
            phase=self.phase,
            generation=1,
            version=1,
            created=NOON,
        )

    def within(self, namespace: str) -> "FakeLiveStore":
        assert namespace == "default"
        return self

    def recorded(self, record: JobRecord) -> JobRecord:
        return self.get(record.name, uid=record.uid)

    def events(self, uid: str, *, after: int = 0, limit: int = 100) -> Sequence[EventRecord]:
        return [
            EventRecord(
                seq=seq,
                job_uid=uid,
                job_name="cubes",
                time=NOON,
                actor="vppo",
                kind="Normal",
                reason="Started",
                message=f"event {seq}",
                payload={},
            )
            for seq in list(self.seqs)
            if seq > after
        ][:limit]

    def metrics(self, uid: str, *, after: str = "", limit: int = 100) -> Lines[MetricsLine]:
        del uid, limit
        return Lines(items=(), positions=(), end=after)

    def logs(self, uid: str, *, after: str = "", limit: int = 100) -> Lines[LogLine]:
        del uid
        start = int(after or 0)
        items = tuple(
            LogLine(time="", level="info", role="driver", attempt=1, step=None, message=text)
            for text in self.lines[start : start + limit]
        )
        positions = tuple(str(start + number + 1) for number in range(len(items)))
        return Lines(items=items, positions=positions, end=positions[-1] if items else after)

    def artifacts(self, uid: str) -> Sequence[Artifact]:
        del uid
        return [
            Artifact(path=path, size_bytes=1, modified_seconds=0.0, media_type="text/html")
            for path in ("report.html", "leak.html")
        ]

    def artifact_path(self, uid: str, path: str) -> Path:
        del uid
        return self.folder / path

    def due_deliveries(self, **asked: Any) -> Sequence[tuple[DeliveryRecord, WebhookRecord, str]]:
        del asked
        return ()


class LiveServer:
    """The whole application on a port of this machine."""

    def __init__(self, store: FakeLiveStore) -> None:
        self.store = store
        self.app = create_app(store, ApiSettings(max_streams=20))  # type: ignore[arg-type]
        config = uvicorn.Config(self.app, port=0, log_level="warning", timeout_graceful_shutdown=5)
        self._server = uvicorn.Server(config)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _run(self) -> None:
        async def serve() -> None:
            self.loop = asyncio.get_running_loop()
            await self._server.serve(sockets=[self._listener])

        asyncio.run(serve())

    def start(self) -> None:
        self._thread.start()
        wait_until(lambda: self._server.started, "the server")

    def stop(self) -> float:
        """Seconds that it took."""
        began = time.monotonic()
        assert self.loop is not None
        self.loop.call_soon_threadsafe(end_streams, self.app)
        self._server.should_exit = True
        self._thread.join(DEADLINE_SECONDS)
        assert not self._thread.is_alive()
        return time.monotonic() - began

    @property
    def is_running(self) -> bool:
        return self._thread.is_alive()

    @property
    def streams(self) -> int:
        """Places that are taken, of all callers."""
        return sum(self.app.state.slots._open.values())

    @property
    def followers(self) -> int:
        tails = getattr(self.app.state, "tails", None)
        return tails.count if tails else 0

    def tasks(self) -> int:
        """Tasks of the server's loop, asked inside it."""
        assert self.loop is not None

        async def count() -> int:
            return len(asyncio.all_tasks()) - 1

        return asyncio.run_coroutine_threadsafe(count(), self.loop).result(DEADLINE_SECONDS)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiveServer]:
    server = LiveServer(FakeLiveStore(tmp_path))
    server.start()
    yield server
    if server.is_running:
        server.stop()


class FakeReceiver:
    """A receiver of webhooks that writes down what it gets."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.got.append((headers, body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            request_queue_size = 128  # with the usual 5, connections are reset when many come

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port: int = self.server.server_address[1]
        self._thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        if self._thread.is_alive():
            self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receiver() -> Iterator[FakeReceiver]:
    receiver = FakeReceiver()
    yield receiver
    receiver.stop()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
