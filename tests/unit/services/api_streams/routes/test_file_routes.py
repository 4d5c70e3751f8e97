"""Artifacts and sampled answers over HTTP, and what must not get out or act."""

from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import pytest

pytestmark = pytest.mark.anyio


@pytest.fixture
def run(store: Any, tmp_path: Path) -> Path:
    (tmp_path / "secret.txt").write_text("secret")
    folder = tmp_path / "run"
    (folder / "model").mkdir(parents=True)
    (folder / "report.html").write_text("<script>1</script>")
    (folder / "model" / "a b.bin").write_bytes(bytes(range(100)))
    (folder / "leak.json").symlink_to(tmp_path / "secret.txt")
    (folder / "folder.json").mkdir()
    store.folder = folder
    store.files = ["report.html", "model/a b.bin", "leak.json", "folder.json", "gone.json"]
    return folder


async def test_list_leads_to_every_file(run: Path, client: httpx.AsyncClient) -> None:
    items = (await client.get("/jobs/cubes/artifacts")).json()["items"]
    assert items[1] == {
        "path": "model/a b.bin",
        "sizeBytes": 1,
        "modified": "2026-11-01T12:00:00Z",
        "mediaType": "application/octet-stream",
        "href": "/jobs/cubes/artifacts/model/a%20b.bin?uid=uid-1",
    }
    reply = await client.get(items[1]["href"])
    assert reply.content == (run / "model" / "a b.bin").read_bytes()
    assert reply.headers["content-disposition"] == "attachment; filename*=utf-8''a%20b.bin"


@pytest.mark.usefixtures("run")
async def test_part_of_a_file_can_be_asked_for(client: httpx.AsyncClient) -> None:
    reply = await client.get(
        "/jobs/cubes/artifacts/model/a%20b.bin", headers={"Range": "bytes=10-19"}
    )
    assert (reply.status_code, reply.content) == (206, bytes(range(10, 20)))


@pytest.mark.usefixtures("run")
async def test_report_is_shown_but_locked_in(client: httpx.AsyncClient) -> None:
    reply = await client.get("/jobs/cubes/artifacts/report.html")
    assert reply.headers["content-disposition"].startswith("inline")
    assert reply.headers["x-content-type-options"] == "nosniff"
    policy = {
        words[0]: words[1:]
        for part in reply.headers["content-security-policy"].split(";")
        if (words := part.split())
    }
    assert policy["default-src"] == ["'none'"]
    assert policy["form-action"] == ["'none'"]
    assert "connect-src" not in policy, "it falls back to default-src: no request at all"
    # Together these two would let the page take its own lock off.
    assert "allow-scripts" in policy["sandbox"]
    assert "allow-same-origin" not in policy["sandbox"]


@pytest.mark.usefixtures("run")
async def test_other_files_run_no_script(client: httpx.AsyncClient) -> None:
    reply = await client.get("/jobs/cubes/artifacts/model/a%20b.bin")
    assert reply.headers["content-security-policy"] == "sandbox; default-src 'none'"


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("%2e%2e/secret.txt", id="encoded-dots"),
        pytest.param("model/%2e%2e/%2e%2e/secret.txt", id="dots-inside"),
        pytest.param("..%2fsecret.txt", id="encoded-slash"),
        pytest.param("%252e%252e/secret.txt", id="encoded-twice"),
        pytest.param("..%5csecret.txt", id="backslash"),
        pytest.param("%2fetc/passwd", id="absolute"),
        pytest.param("report.html%00.png", id="nul"),
        pytest.param("model/./a%20b.bin", id="another-spelling"),
        pytest.param("leak.json", id="link-that-leads-out"),
        pytest.param("folder.json", id="folder"),
        pytest.param("gone.json", id="listed-but-gone"),
        pytest.param("job.json", id="never-listed"),
    ],
)
@pytest.mark.usefixtures("run")
async def test_nothing_but_listed_files_gets_out(doors: Any, path: str) -> None:
    sent: list[Any] = []
    raw = f"/jobs/cubes/artifacts/{path}"
    # By hand: a client would tidy the path before it sends it.
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": unquote(raw),
        "raw_path": raw.encode(),
        "query_string": b"",
        "headers": [],
        "server": ("vppo", 80),
        "client": ("127.0.0.1", 1),
        "root_path": "",
    }

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await doors.call(scope, receive, send)
    assert sent[0]["status"] == 404
    assert b"secret" not in b"".join(m.get("body", b"") for m in sent).replace(b"secret.txt", b"")


async def test_answers_of_a_step_come_as_they_were_written(
    store: Any, client: httpx.AsyncClient
) -> None:
    store.answers = {10: {"step": 10, "samples": [{"tokens": ["\u2192", "<b>"]}]}, 5: {}}
    assert (await client.get("/jobs/cubes/spotlight")).json() == {"steps": [5, 10]}
    reply = await client.get("/jobs/cubes/spotlight/10")
    assert reply.json() == store.answers[10]
    again = await client.get(
        "/jobs/cubes/spotlight/10", headers={"If-None-Match": reply.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")
    assert (await client.get("/jobs/cubes/spotlight/11")).status_code == 404


async def test_answers_may_be_kept_only_when_they_cannot_change(
    store: Any, bench: Any, client: httpx.AsyncClient
) -> None:
    store.answers = {10: {}}
    uid = {"uid": "uid-1"}
    running = await client.get("/jobs/cubes/spotlight/10", params=uid)
    assert "immutable" not in running.headers["cache-control"], "an attempt may do the step again"
    bench.store.finish()
    by_name = await client.get("/jobs/cubes/spotlight/10")
    assert "immutable" not in by_name.headers["cache-control"], "the name may get a newer job"
    final = await client.get("/jobs/cubes/spotlight/10", params=uid)
    assert final.headers["cache-control"] == "private, max-age=31536000, immutable"
