"""Streams of a real server, read over real connections."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx

from vppo_core.spec.status import JobPhase

SSE = {"Accept": "text/event-stream"}


def messages_of(lines: Iterator[str]) -> Iterator[dict[str, str]]:
    message: dict[str, str] = {}
    for line in lines:
        if line == "":
            yield message
            message = {}
        else:
            name, _, value = line.partition(": ")
            message[name] = value


def test_reader_gets_what_happens_and_goes_on_after_a_break(server: Any) -> None:
    server.store.seqs += [1, 2]
    with (
        httpx.Client(base_url=server.url, timeout=30) as client,
        client.stream("GET", "/jobs/cubes/events", headers=SSE) as reply,
    ):
        assert reply.headers["content-type"].startswith("text/event-stream")
        assert reply.headers["x-accel-buffering"] == "no"
        assert reply.headers["cache-control"] == "no-store"
        messages = messages_of(reply.iter_lines())
        assert next(messages) == {"retry": "2000"}
        assert [next(messages)["event"] for _ in range(3)] == ["status", "event", "event"]
        server.store.seqs.append(5)
        assert next(messages)["id"] == "5"
    server.store.seqs.append(9)
    with (
        httpx.Client(base_url=server.url, timeout=30) as client,
        client.stream(
            "GET", "/v1/jobs/cubes/events", headers={**SSE, "Last-Event-ID": "5"}
        ) as reply,
    ):
        messages = messages_of(reply.iter_lines())
        assert [m.get("event") for m in (next(messages), next(messages))] == [None, "status"]
        assert next(messages)["id"] == "9"
        server.store.phase = JobPhase.FAILED
        rest = list(messages)
    assert [m["event"] for m in rest] == ["status", "end"]


def test_readers_that_vanish_leave_nothing_behind(server: Any) -> None:
    idle = server.tasks()
    for kind in ("events", "logs"):
        for _ in range(3):
            with contextlib.ExitStack() as stack:
                for _ in range(5):
                    client = stack.enter_context(httpx.Client(base_url=server.url, timeout=30))
                    reply = client.stream("GET", f"/jobs/cubes/{kind}", headers=SSE)
                    stack.enter_context(reply)
                assert server.streams == 5
                assert server.followers == 1
    wait_for_idle(server)
    assert server.tasks() == idle


def test_reader_whose_connection_breaks_is_noticed(server: Any) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        ask(connection, server)
        # No goodbye: a reset, as of a program that was killed.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    wait_for_idle(server)


def test_reader_that_stops_reading_holds_nobody_up(server: Any) -> None:
    with socket.socket() as stuck, httpx.Client(base_url=server.url, timeout=30) as client:
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stuck.connect(("127.0.0.1", server.port))
        ask(stuck, server)
        with client.stream("GET", "/jobs/cubes/logs", headers=SSE) as reply:
            messages = messages_of(reply.iter_lines())
            next(messages)
            server.store.lines += [f"{number} {'x' * 4000}" for number in range(5000)]
            last = [next(messages) for _ in range(5000)][-1]
            assert last["id"] == "5000"
        # 20 MB wait for the stuck one; it reads them all when it likes, none is missing.
        server.store.phase = JobPhase.SUCCEEDED
        text = read_all(stuck)
    for number in (0, 1, 2499, 4998, 4999):
        assert f'"message":"{number} x'.encode() in text
    assert text.count(b"event: log\n") == 5000
    assert b"event: end\n" in text
    wait_for_idle(server)


def test_one_stream_more_than_allowed_is_refused(server: Any) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            client = stack.enter_context(httpx.Client(base_url=server.url, timeout=30))
            reply = client.stream("GET", "/jobs/cubes/logs", headers=SSE)
            assert stack.enter_context(reply).status_code == 200
        refused = httpx.get(f"{server.url}/jobs/cubes/logs", headers=SSE, timeout=30)
        assert refused.status_code == 429
        assert refused.json()["code"] == "too_many_streams"
        assert "retry-after" in refused.headers
    wait_for_idle(server)
    server.store.phase = JobPhase.SUCCEEDED
    reply = httpx.get(f"{server.url}/jobs/cubes/logs", headers=SSE, timeout=30)
    assert reply.status_code == 200


def test_server_that_stops_sends_readers_home_at_once(server: Any) -> None:
    texts: list[str] = []

    def read() -> None:
        with httpx.stream("GET", f"{server.url}/jobs/cubes/logs", headers=SSE, timeout=30) as reply:
            texts.append(reply.read().decode())

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    wait_for_streams(server, 3)
    assert server.stop() < 4, "it waits 5 s for streams that nobody ends"
    for reader in readers:
        reader.join(30)
    assert texts == ["retry: 2000\n\n"] * 3


def test_no_spelling_of_a_path_gets_another_file_out(server: Any) -> None:
    folder = server.store.folder
    (folder / "run").mkdir()
    (folder / "run" / "report.html").write_text("the report")
    (folder / "secret").write_text("hidden")
    (folder / "run" / "leak.html").symlink_to(folder / "secret")
    server.store.folder = folder / "run"
    base = "/jobs/cubes/artifacts"
    assert b"the report" in request(server, f"{base}/report.html")
    for path in (
        "../secret",
        "%2e%2e/secret",
        "%2e%2e%2fsecret",
        "..%5csecret",
        "report.html/../../secret",
        "leak.html",
        "//etc/passwd",
        f"{folder}/secret",
    ):
        reply = request(server, f"{base}/{path}")
        assert reply.startswith(b"HTTP/1.1 404"), path
        assert b"hidden" not in reply


def request(server: Any, path: str) -> bytes:
    """By hand: a client would tidy the path."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        connection.sendall(head.encode())
        return read_all(connection)


def ask(connection: socket.socket, server: Any) -> None:
    """Ask for a stream, and wait until it is one."""
    head = "GET /jobs/cubes/logs HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n"
    connection.sendall(f"{head}Connection: close\r\n\r\n".encode())
    wait_for_streams(server, 1)


def read_all(connection: socket.socket) -> bytes:
    connection.settimeout(30)
    parts = []
    while part := connection.recv(2**20):
        parts.append(part)
    return b"".join(parts)


def wait_for_streams(server: Any, count: int) -> None:
    limit = time.monotonic() + 30
    while server.streams != count or (count == 0 and server.followers):
        assert time.monotonic() < limit, f"{server.streams} streams, {server.followers} followers"
        time.sleep(0.02)


def wait_for_idle(server: Any) -> None:
    wait_for_streams(server, 0)
