"""A server that is none: answers written down by the test, requests kept for it to look at."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import httpx
import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from vppo_services.cli.client import AsyncClient, Client, Server
from vppo_services.cli.door import Surroundings
from vppo_services.cli.main import app

NOW = datetime(2026, 11, 1, 12, 0, 0, tzinfo=UTC)

Answer = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]


class FakeServer:
    """Gives the answers of a path one after the other; the last one again and again."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.slept: list[float] = []
        self._answers: dict[tuple[str, str], list[Answer]] = {}

    def answer(self, method: str, path: str, *answers: Answer) -> None:
        self._answers[method, path] = list(answers)

    def json(self, method: str, path: str, document: Any, *, status: int = 200) -> None:
        self.answer(method, path, lambda _: httpx.Response(status, json=document))

    def problem(self, method: str, path: str, status: int, code: str, detail: str) -> None:
        self.json(method, path, {"code": code, "detail": detail}, status=status)

    def stream(self, path: str, *pieces: str | Exception) -> None:
        """Each piece is what one connection gives."""
        self.answer("GET", path, *(connection(piece) for piece in pieces))

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answers = self._answers.get((request.method, request.url.path))
        if not answers:
            problem = {"code": "not_found", "detail": f"no {request.method} {request.url.path}"}
            return httpx.Response(404, json=problem)
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, httpx.Response) else answer(request)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    async def sleep_async(self, seconds: float) -> None:
        self.slept.append(seconds)

    @property
    def paths(self) -> list[str]:
        return [f"{request.method} {request.url.path}" for request in self.requests]

    def body(self, index: int = -1) -> Any:
        return json.loads(self.requests[index].content)


def connection(piece: str | Exception) -> Answer:
    if isinstance(piece, Exception):
        return piece
    return lambda _: httpx.Response(
        200, content=piece.encode(), headers={"content-type": "text/event-stream"}
    )


@pytest.fixture
def server() -> FakeServer:
    return FakeServer()


@pytest.fixture
def client(server: FakeServer) -> Iterator[Client]:
    transport = httpx.MockTransport(server.handle)
    with Client(Server("http://api", "secret"), transport=transport, sleep=server.sleep) as one:
        yield one


@pytest.fixture
def async_client(server: FakeServer) -> AsyncClient:
    transport = httpx.MockTransport(server.handle)
    return AsyncClient(Server("http://api"), transport=transport, sleep=server.sleep_async)


@pytest.fixture
def vppo(server: FakeServer) -> Callable[..., Result]:
    """Runs the command line against the fake server, on a pipe."""

    def run(*arguments: str, input: str = "", console: Console | None = None) -> Result:
        around = Surroundings(
            transport=httpx.MockTransport(server.handle),
            now=lambda: NOW,
            sleep=server.sleep,
            make_console=Console if console is None else lambda: console,
        )
        return CliRunner().invoke(app, list(arguments), obj=around, input=input or None)

    return run


@pytest.fixture
def terminal() -> Console:
    """A terminal of 100 columns that keeps what is drawn."""
    return Console(
        force_terminal=True,
        file=StringIO(),
        width=100,
        height=40,
        record=True,
        color_system=None,
        legacy_windows=False,
        _environ={},
    )


@pytest.fixture
def job_json() -> Callable[..., dict[str, Any]]:
    """A job as the API gives it; keywords are its status."""

    def make(name: str = "demo", **status: Any) -> dict[str, Any]:
        return {
            "apiVersion": "vppo.io/v1alpha1",
            "kind": "VPPOJob",
            "metadata": {
                "name": name,
                "namespace": "",
                "labels": {},
                "annotations": {},
                "uid": f"uid-of-{name}",
                "creationTimestamp": "2026-11-01T11:00:00.000Z",
                "deletionTimestamp": None,
                "generation": 1,
                "resourceVersion": "7",
            },
            "spec": {"model": {"source": "m"}, "data": {"source": "d"}},
            "status": {"phase": "Queued", **status},
        }

    return make


@pytest.fixture
def sse() -> Callable[..., str]:
    """Text of a stream: `(kind, data)` or `(kind, data, id)` for each event."""

    def make(*events: tuple[Any, ...]) -> str:
        return "retry: 2000\n\n" + "".join(_message(*event) for event in events)

    return make


def _message(kind: str, data: Any, position: object = None) -> str:
    head = "" if position is None else f"id: {position}\n"
    return f"event: {kind}\n{head}data: {json.dumps(data)}\n\n"
