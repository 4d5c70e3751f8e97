"""Clients of the control plane, in a process of their own: requests in loops, readers of a stream.

They speak HTTP over bare sockets, so that on a small machine the server has most of it.
"""

import asyncio
import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import psutil

from vppo_core.catalogue import METRICS
from vppo_core.errors import VPPOError

NAME = b"@name@"
WAIT_SECONDS = 30.0
STREAM_LINE_BYTES = 2**20
Numbers = dict[str, float]


@dataclass(frozen=True, slots=True)
class Target:
    """A server and a request to it."""

    port: int
    pid: int
    head: str
    """Method and path."""
    status: int = 200
    media_type: str = ""
    body: bytes = b""
    """`@name@` in it becomes a name that no other request has."""
    prefix: str = ""
    """Of these names."""

    def request(self, number: int) -> bytes:
        """The bytes of one request."""
        body = self.body.replace(NAME, f"{self.prefix}-{number}".encode())
        kind = f"Content-Type: {self.media_type}\r\n" if self.media_type else ""
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        return f"{self.head} HTTP/1.1\r\nHost: localhost\r\n{kind}{length}\r\n".encode() + body


def closed_loop(target: Target, clients: int, seconds: float) -> Numbers:
    """Each client sends its next request when it has the answer to the last one."""
    numbers = iter(range(10**9))
    deadline = time.perf_counter() + seconds

    def due() -> float | None:
        now = time.perf_counter()
        return now if now < deadline else None

    return asyncio.run(_load(target, clients, lambda: (next(numbers), due())))


def open_loop(target: Target, clients: int, rate: float, seconds: float) -> Numbers:
    """Requests come at a steady rate, whether or not the server keeps up; the times count from
    when each was due, not from when a connection was free for it."""
    start, numbers = time.perf_counter() + 0.1, iter(range(round(rate * seconds)))

    def due() -> tuple[int, float | None]:
        number = next(numbers, None)
        return (0, None) if number is None else (number, start + number / rate)

    return asyncio.run(_load(target, clients, due))


async def _load(
    target: Target, clients: int, due: Callable[[], tuple[int, float | None]]
) -> Numbers:
    """What all clients together saw, and what it cost both sides."""
    server, times = psutil.Process(target.pid), []

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
        while True:
            number, moment = due()
            if moment is None:
                break
            await asyncio.sleep(max(0.0, moment - time.perf_counter()))
            writer.write(target.request(number))
            await _answer(reader, target)
            times.append(time.perf_counter() - moment)
        writer.close()

    start, busy = time.perf_counter(), _busy_seconds()
    before, own = _cpu_seconds(server), time.process_time()
    await asyncio.gather(*(client() for _ in range(clients)))
    seconds = time.perf_counter() - start
    cpu, own = _cpu_seconds(server) - before, time.process_time() - own
    return {
        "requests": len(times),
        "perSecond": len(times) / seconds,
        **spread(times),
        "serverCpuMs": 1e3 * cpu / len(times),
        "clientCpuMs": 1e3 * own / len(times),
        # Cores that somebody else kept busy: a disturbed measurement shows by this.
        "otherCores": (_busy_seconds() - busy - cpu - own) / seconds,
    }


async def _answer(reader: asyncio.StreamReader, target: Target) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head[9:12])
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-le"))
    body = await reader.readexactly(int(length.partition(b":")[2]))
    if status != target.status:
        raise VPPOError(
            f"`{target.head}` must be answered with {target.status}, got {status}: {body[:300]!r}"
        )


def spread(seconds: list[float]) -> Numbers:
    """Median, 99th percentile and longest of some times, in milliseconds."""
    ordered = sorted(seconds)
    median, p99 = (ordered[ceil(share * len(ordered)) - 1] for share in (0.5, 0.99))
    return {"medianMs": 1e3 * median, "p99Ms": 1e3 * p99, "maxMs": 1e3 * ordered[-1]}


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream of metrics, and the file that it comes from."""

    target: Target
    file: Path
    history: int
    """Lines that every reader is given first."""
    lines: int
    """Lines that are written while all of them read."""


def metrics_line(step: int) -> str:
    """As a driver writes it."""
    values = dict.fromkeys(METRICS, 0.12345 * (step + 1))
    return json.dumps({**values, "step": step, "time": time.time()}) + "\n"


def follow(stream: Stream, readers: int) -> dict[str, Any]:
    """Memory that readers take in the server, and delays from a line's writing to its arrival."""
    return asyncio.run(_follow(stream, readers))


async def _follow(stream: Stream, readers: int) -> dict[str, Any]:
    server, target, pauses = psutil.Process(stream.target.pid), stream.target, random.Random(0)
    written: dict[int, float] = {}
    delays: list[float] = []
    memory: list[int] = []

    def note(step: int) -> None:
        if step in written:
            delays.append(time.perf_counter() - written[step])

    async def write() -> None:
        with stream.file.open("a") as file:
            for step in range(stream.history, stream.history + stream.lines):
                # Uneven, so that lines fall into every part of the time between two polls.
                await asyncio.sleep(pauses.uniform(0.2, 0.5))
                text = metrics_line(step)
                written[step] = time.perf_counter()
                file.write(text)
                file.flush()
                memory.append(server.memory_info().rss)

    # What the first stream of all loads is not the price of a reader.
    reader, writer = await _open(target)
    await _read_until(reader, stream.history - 1, note)
    writer.close()
    await asyncio.sleep(1.0)
    before = server.memory_info().rss
    opened = await asyncio.gather(*(_open(target) for _ in range(readers)))
    await asyncio.gather(*(_read_until(reader, stream.history - 1, note) for reader, _ in opened))
    memory.append(server.memory_info().rss)
    start, cpu = time.perf_counter(), _cpu_seconds(server)
    last = stream.history + stream.lines - 1
    await asyncio.gather(write(), *(_read_until(reader, last, note) for reader, _ in opened))
    share = (_cpu_seconds(server) - cpu) / (time.perf_counter() - start)
    for _, writer in opened:
        writer.close()
    return {
        "lineBytes": len(metrics_line(0)),
        "arrivals": len(delays),
        **spread(delays),
        "extraMiB": (max(memory) - before) / 2**20,
        "serverCpuShare": share,
    }


def _busy_seconds() -> float:
    """CPU time of the whole machine."""
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system)


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


async def _open(target: Target) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A stream whose head was read."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", target.port, limit=STREAM_LINE_BYTES
    )
    head = f"{target.head} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n"
    writer.write(head.encode())
    got = await reader.readuntil(b"\r\n\r\n")
    if b" 200 " not in got.splitlines()[0]:
        raise VPPOError(f"`{target.head}` must open a stream, got {got[:300]!r}")
    return reader, writer


async def _read_until(reader: asyncio.StreamReader, last: int, note: Callable[[int], None]) -> None:
    """Pass on the step of every message, until that of the last."""
    step = -1
    while step < last:
        line = await asyncio.wait_for(reader.readline(), WAIT_SECONDS)
        if not line:
            raise VPPOError(f"a stream must go on to step {last}, got its end after step {step}")
        if line.startswith(b'data: {"step":'):
            step = int(line[14 : line.index(b",")])
            note(step)
