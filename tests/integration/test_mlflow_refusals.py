"""What the real client of MLflow makes of a server that refuses, or is none."""

import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from vppo_services.observability.mlflow import MlflowSink

pytestmark = pytest.mark.slow

ANSWERS = {
    "experiments/get-by-name": {"experiment": {"experiment_id": "7", "name": "vppo"}},
    "runs/search": {},
    "runs/create": {"run": {"info": {"run_id": "r1"}, "data": {}}},
    "runs/log-batch": {},
    "runs/update": {},
}


class Handler(BaseHTTPRequestHandler):
    """Answers as a server with one run would, after the refusals that the test asked for."""

    refusals: list[tuple[int, dict[str, str]]]
    batches: list[str]

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        name = self.path.partition("?")[0].partition("/mlflow/")[2]
        if self.refusals and name == "runs/log-batch":
            status, headers = self.refusals.pop(0)
            self._send(status, headers, "Invalid Host header")
            return
        if name == "runs/log-batch":
            self.batches.append(body)
        self._send(200, {}, json.dumps(ANSWERS[name]))

    def _send(self, status: int, headers: dict[str, str], text: str) -> None:
        self.send_response(status)
        for header, value in headers.items():
            self.send_header(header, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    Handler.refusals, Handler.batches = [], []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


def sink_of(folder: Path, uri: str) -> MlflowSink:
    """A sink whose thread is never started: tests send by hand."""
    sink = MlflowSink(uri, experiment="vppo", run_name="demo", folder=folder, spool_bytes=2**20)
    for step in range(3):
        sink.log_step(step, {"reward_mean": 0.5}, time_seconds=float(step))
    return sink


def address(server: ThreadingHTTPServer) -> str:
    return f"http://127.0.0.1:{server.server_port}"


def test_a_retry_after_is_waited_out_and_then_the_batch_arrives(
    server: ThreadingHTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr("urllib3.util.retry.time.sleep", waits.append)
    Handler.refusals = [(429, {"Retry-After": "30"})]
    sink = sink_of(tmp_path, address(server))
    assert sink._sender.pump()
    assert waits == [30]
    assert len(Handler.batches) == 1
    assert (sink.pending, sink.dropped) == (0, 0)


def test_a_server_that_keeps_saying_429_or_403_loses_nothing_and_is_named_once(
    server: ThreadingHTTPServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Handler.refusals = [(429, {}), (429, {}), (403, {}), (403, {})]
    sink = sink_of(tmp_path, address(server))
    with caplog.at_level(logging.WARNING):
        assert [sink._sender.pump() for _ in range(4)] == [False, False, False, True]
    assert (sink.pending, sink.dropped) == (0, 0)
    assert len([r for r in caplog.records if "MLflow is away" in r.message]) == 1


@pytest.mark.parametrize("uri", ["http://127.0.0.1:1", "gopher://nowhere", "not an address"])
def test_a_wrong_address_is_named_once_and_keeps_the_records(
    uri: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sink = sink_of(tmp_path / "mlflow", uri)
    with caplog.at_level(logging.WARNING):
        assert [sink._sender.pump() for _ in range(3)] == [False, False, False]
    assert (sink.pending, sink.dropped) == (3, 0)
    assert len([r for r in caplog.records if "training goes on" in r.message]) == 1
