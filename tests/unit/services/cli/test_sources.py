"""`export` and `eval` take a folder, or the name of a job of the server."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from vppo_core.errors import InvalidSpecError
from vppo_services.cli.sources import checkpoint_source

ROWS = """{"items": [
  {"step": 10, "uri": "/runs/a/step-000010", "attempt": 1, "created": "2026-11-24T12:00:00Z"},
  {"step": 20, "uri": "/runs/a/step-000020", "attempt": 1, "created": "2026-11-24T12:01:00Z"}
], "nextCursor": null}"""


class Checkpoints(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        known = {"/v1/jobs/demo/checkpoints": ROWS, "/v1/jobs/empty/checkpoints": '{"items": []}'}
        text = known.get(self.path.partition("?")[0].replace("/v1/v1", "/v1"))
        text = text or known.get("/v1" + self.path.partition("?")[0])
        self.send_response(200 if text else 404)
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write((text or '{"detail": "there is no job of that name"}').encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with HTTPServer(("127.0.0.1", 0), Checkpoints) as http:
        Thread(target=http.serve_forever, daemon=True).start()
        monkeypatch.setenv("VPPO_SERVER", f"http://127.0.0.1:{http.server_port}")
        yield
        http.shutdown()


@pytest.mark.usefixtures("server")
def test_a_job_is_its_newest_checkpoint() -> None:
    assert checkpoint_source("demo") == "/runs/a/step-000020"


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(
    ("name", "said"),
    [("empty", "must have a checkpoint, got none"), ("nobody", "there is no such folder, and")],
)
def test_a_job_without_one_is_refused(name: str, said: str) -> None:
    with pytest.raises(InvalidSpecError, match=said):
        checkpoint_source(name)


def test_folders_and_addresses_are_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VPPO_SERVER", "http://127.0.0.1:1")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo").mkdir()
    for source in ("demo", "runs/demo", "s3://bucket/run", "/runs/a"):
        assert checkpoint_source(source) == source
