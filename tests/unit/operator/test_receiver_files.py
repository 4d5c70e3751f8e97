"""The receiver keeps the files that it should, within limits; nothing else reaches the disk."""

import socket
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.sim.receiver_server import ReceiverServer
from vppo_core.runs.protocol import MAX_FILES, MAX_PART_BYTES

BASE = "/v1/runs/team/colours/uid-1/2"


def report(client: httpx.Client, path: str = BASE, **headers: str) -> httpx.Response:
    body = {"incarnation": "one", "files": {"metrics.jsonl": 0}}
    return client.post(f"{path}/report", json=body, headers=headers)


def put(client: httpx.Client, path: str, data: bytes = b"x", **query: Any) -> httpx.Response:
    return client.put(f"{BASE}/files/{path}", content=data, params=query)


def test_parts_are_appended_where_the_file_ends(
    server: ReceiverServer, client: httpx.Client
) -> None:
    assert put(client, "log.jsonl", b"abc", offset=0).status_code == 200
    again = put(client, "log.jsonl", b"abc", offset=0)
    assert (again.status_code, again.json()["size"]) == (409, 3)
    assert put(client, "log.jsonl", b"x", offset=7).status_code == 409
    assert put(client, "log.jsonl", b"de", offset=3).status_code == 200
    assert (server.folder / "uid-1" / "log.jsonl").read_bytes() == b"abcde"


def test_a_file_of_several_parts_appears_whole(
    server: ReceiverServer, client: httpx.Client
) -> None:
    path = server.folder / "uid-1" / "report.html"
    assert put(client, "report.html", b"old", offset=0, replace="true").status_code == 200
    assert put(client, "report.html", b"ne", offset=0, replace="true", total=4).status_code == 200
    assert path.read_bytes() == b"old"
    assert put(client, "report.html", b"x", offset=3, replace="true", total=4).status_code == 409
    assert put(client, "report.html", b"w!", offset=2, replace="true", total=4).status_code == 200
    assert path.read_bytes() == b"new!"
    assert put(client, "report.html", b"", offset=0, replace="true").status_code == 200
    assert path.read_bytes() == b""
    assert [one.name for one in path.parent.iterdir()] == ["report.html"]


def test_contents_that_were_begun_and_left_do_not_pile_up(
    server: ReceiverServer, client: httpx.Client
) -> None:
    for step in range(5):
        name = f"spotlight/step-{step:06d}.json"
        assert put(client, name, offset=0, replace="true", total=2).status_code == 200
    assert len(list((server.folder / "uid-1").rglob("*"))) == 1
    late = put(client, "spotlight/step-000000.json", offset=1, replace="true", total=2)
    assert (late.status_code, late.json()["size"]) == (409, 0)


@pytest.mark.parametrize(
    "path",
    [
        "attempts/1/exit.json",  # of another attempt
        "attempts/2/stop.json",
        "attempts/2/launched",
        "checkpoints/step-000001/COMPLETE",
        "spotlight/%2e%2e",
        "spotlight/.hidden",
        "spotlight/step-000001.json.part",
        "%2e%2e/uid-2/job.json",
        "%2Fetc%2Fpasswd",
        "job.json%00",
        "attempts/２/exit.json",
        ".mirror",
    ],
)
def test_other_files_are_refused(server: ReceiverServer, client: httpx.Client, path: str) -> None:
    for query in ({"offset": 0}, {"offset": 0, "replace": "true"}):
        answer = client.put(f"{BASE}/files/{path}", content=b"x", params=query)
        assert answer.status_code == 403, answer.text
    assert not server.folder.exists()


def test_a_path_that_climbs_in_a_raw_request_writes_nothing(
    server: ReceiverServer, tmp_path: Path
) -> None:
    """A client that does not tidy its paths."""
    with socket.create_connection(("127.0.0.1", server.port)) as raw:
        head = f"PUT {BASE}/files/../../../../../../escaped.json?offset=0&replace=true HTTP/1.1"
        raw.sendall(
            f"{head}\r\nHost: x\r\nAuthorization: Bearer good\r\nContent-Length: 1\r\n"
            "Connection: close\r\n\r\nx".encode()
        )
        status = raw.recv(100).split()[1]
    assert status in (b"403", b"404", b"405")
    assert not list(tmp_path.rglob("escaped*"))
    assert not server.folder.exists()


def test_a_link_in_the_folder_leads_nowhere(
    server: ReceiverServer, client: httpx.Client, tmp_path: Path
) -> None:
    run, outside = server.folder / "uid-1", tmp_path / "outside"
    run.mkdir(parents=True)
    outside.mkdir()
    (outside / "secret").write_text("secret")
    (run / "spotlight").symlink_to(outside)
    (run / "metrics.jsonl").symlink_to(outside / "secret")
    assert put(client, "spotlight/step-000001.json", replace="true").status_code == 403
    assert put(client, "metrics.jsonl", offset=0).status_code == 403
    assert put(client, "metrics.jsonl", replace="true").status_code == 403
    assert client.get(f"{BASE}/files/metrics.jsonl").status_code == 403
    assert report(client).status_code == 503, "it is not measured either"
    assert [path.name for path in outside.iterdir()] == ["secret"]
    assert (outside / "secret").read_text() == "secret"


@pytest.mark.parametrize("offset", ["-1", "x", "1e3", "９", "9" * 40])
def test_a_bad_offset_is_a_bad_request(
    server: ReceiverServer, client: httpx.Client, offset: str
) -> None:
    assert put(client, "log.jsonl", offset=offset).status_code == 400
    assert not server.folder.exists()


def test_a_huge_body_is_refused_and_one_of_the_largest_size_is_taken(
    server: ReceiverServer, client: httpx.Client
) -> None:
    assert put(client, "log.jsonl", b"x" * (MAX_PART_BYTES + 1), offset=0).status_code == 413
    assert put(client, "log.jsonl", b"x" * 5 * MAX_PART_BYTES, offset=0).status_code == 413
    assert not server.folder.exists()
    assert put(client, "log.jsonl", b"x" * MAX_PART_BYTES, offset=0).status_code == 200


def test_a_run_has_a_limit_that_its_ending_is_above(tmp_path: Path) -> None:
    server = ReceiverServer(tmp_path / "jobs", max_run_bytes=100)
    server.allow("good", namespace="team", job="colours")
    server.known.add(("team", "colours", "uid-1", 2))
    server.start()
    headers = {"Authorization": "Bearer good"}
    try:
        with httpx.Client(base_url=server.url, headers=headers) as client:
            assert put(client, "log.jsonl", b"x" * 90, offset=0).status_code == 200
            assert put(client, "log.jsonl", b"x" * 11, offset=90).status_code == 413
            assert put(client, "report.html", b"x" * 11, replace="true").status_code == 413
            # Told beforehand, not after the first hundred parts.
            assert put(client, "report.html", b"x", replace="true", total=11).status_code == 413
            assert put(client, "attempts/2/exit.json", b"x" * 50, replace="true").status_code == 200
            assert put(client, "checkpoints.jsonl", b"x" * 50, offset=0).status_code == 200
            assert put(client, "log.jsonl", b"x" * 10, replace="true").status_code == 200
    finally:
        server.stop()
    run = server.folder / "uid-1"
    assert (run / "log.jsonl").read_bytes() == b"x" * 10
    assert not (run / "report.html").exists()


def test_a_run_has_so_many_files_and_its_ending(
    server: ReceiverServer, client: httpx.Client
) -> None:
    folder = server.folder / "uid-1" / "spotlight"
    folder.mkdir(parents=True)
    for step in range(MAX_FILES):
        (folder / f"step-{step:06d}.json").touch()
    assert put(client, "spotlight/step-900000.json", replace="true").status_code == 413
    assert put(client, "spotlight/step-000001.json", replace="true").status_code == 200
    assert put(client, "attempts/2/exit.json", replace="true").status_code == 200


def test_the_history_of_a_run_is_given_back_in_parts(client: httpx.Client) -> None:
    assert client.get(f"{BASE}/files/metrics.jsonl").json()["code"] == "no_file"
    put(client, "metrics.jsonl", b"x" * MAX_PART_BYTES, offset=0)
    put(client, "metrics.jsonl", b"end", offset=MAX_PART_BYTES)
    first = client.get(f"{BASE}/files/metrics.jsonl")
    assert len(first.content) == MAX_PART_BYTES
    rest = client.get(f"{BASE}/files/metrics.jsonl", params={"offset": MAX_PART_BYTES})
    assert rest.content == b"end"
    behind = client.get(f"{BASE}/files/metrics.jsonl", params={"offset": MAX_PART_BYTES + 3})
    assert (behind.status_code, behind.content) == (200, b"")
    assert client.get(f"{BASE}/files/job.json").status_code == 403
