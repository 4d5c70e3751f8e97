import asyncio
import os
import threading
import time
from collections.abc import Iterator

import pytest

from benchmarks.control_load import Target, closed_loop, metrics_line, open_loop, spread
from vppo_core.errors import VPPOError
from vppo_services.local.run_files import _metrics_line

PAUSE = 0.3


class SlowOnce:
    """Answers at once, but for the first request."""

    def __init__(self) -> None:
        self.status = 201
        self.bodies: list[bytes] = []
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._is_up = threading.Event()
        threading.Thread(target=self._run, daemon=True).start()
        assert self._is_up.wait(10)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)

    def _run(self) -> None:
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self._is_up.set()
        self._loop.run_forever()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                break
            length = int(head.partition(b"Content-Length: ")[2].split()[0])
            self.bodies.append(await reader.readexactly(length))
            if len(self.bodies) == 1:
                await asyncio.sleep(PAUSE)
            writer.write(f"HTTP/1.1 {self.status} X\r\nContent-Length: 2\r\n\r\n{{}}".encode())
        writer.close()


@pytest.fixture
def server() -> Iterator[SlowOnce]:
    server = SlowOnce()
    yield server
    server.stop()


def target(server: SlowOnce) -> Target:
    body, kind = b"@name@", "application/json"
    return Target(server.port, os.getpid(), "POST /jobs", 201, kind, body, "j")


def test_spread_is_of_values_that_were_seen() -> None:
    times = [number / 1000 for number in range(100, 0, -1)]
    assert spread(times) == pytest.approx({"medianMs": 50, "p99Ms": 99, "maxMs": 100})


def test_open_loop_counts_the_wait_for_a_server_that_falls_behind(server: SlowOnce) -> None:
    found = open_loop(target(server), 1, 20, 0.5)
    assert found["requests"] == 10
    assert found["maxMs"] >= 1e3 * PAUSE
    assert found["medianMs"] > 20, "those that were due during the pause are late as well"


def test_closed_loop_sends_another_name_each_time_until_its_end(server: SlowOnce) -> None:
    start = time.perf_counter()
    found = closed_loop(target(server), 2, 0.05)
    assert time.perf_counter() - start >= PAUSE, "requests on their way are waited for"
    assert found["requests"] == len(server.bodies) == len(set(server.bodies))


def test_an_answer_that_is_not_the_expected_one_ends_the_measurement(server: SlowOnce) -> None:
    server.status = 429
    with pytest.raises(VPPOError, match="must be answered with 201, got 429"):
        closed_loop(target(server), 1, 0.05)


def test_lines_of_metrics_are_what_the_server_reads() -> None:
    line = _metrics_line(metrics_line(7).encode())
    assert line is not None
    assert line.step == 7
    assert len(line.values) > 40
