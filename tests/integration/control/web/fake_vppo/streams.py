"""Server-sent events of the made-up server."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from history import log_line, metrics
from state import FINAL, World

LOG_LINES = 480
LIVE_SECONDS = 0.4


def sse(kind: str, data: Any, position: str | int | None = None) -> str:
    """One event."""
    head = f"event: {kind}\n" + ("" if position is None else f"id: {position}\n")
    return f"{head}data: {json.dumps(data)}\n\n"


def router(world: World) -> APIRouter:
    """Routes of the three streams."""
    routes = APIRouter()

    def stream(lines: AsyncIterator[str]) -> StreamingResponse:
        return StreamingResponse(lines, media_type="text/event-stream")

    @routes.get("/jobs/{name}/events")
    async def events(name: str, request: Request) -> StreamingResponse:
        return stream(_events(world, name, int(request.headers.get("last-event-id") or 0)))

    @routes.get("/jobs/{name}/metrics")
    async def metric_lines(name: str, request: Request) -> StreamingResponse:
        return stream(_metrics(world, name, int(request.headers.get("last-event-id") or 0)))

    @routes.get("/jobs/{name}/logs")
    async def logs(name: str, request: Request) -> StreamingResponse:
        return stream(_logs(world, name, int(request.headers.get("last-event-id") or 0)))

    return routes


def _phase(world: World, name: str) -> str:
    job = world.find(name)
    return job["status"]["phase"] if job else "Cancelled"


async def _events(world: World, name: str, after: int) -> AsyncIterator[str]:
    yield "retry: 2000\n\n"
    told = ""
    while True:
        for event in [e for e in world.events.get(name, []) if e["seq"] > after]:
            after = event["seq"]
            yield sse("event", event, after)
        job = world.find(name)
        if job and (status := json.dumps(job["status"])) != told:
            told = status
            yield sse("status", job["status"], after)
        if _phase(world, name) in FINAL:
            yield sse("end", {})
            return
        async with world.changed:
            try:
                await asyncio.wait_for(world.changed.wait(), 15)
            except TimeoutError:
                yield ": still here\n\n"


async def _metrics(world: World, name: str, after: int) -> AsyncIterator[str]:
    yield "retry: 2000\n\n"
    job = world.find(name)
    last = job["status"]["progress"]["step"] if job else 0
    for step in range(after + 1, last + 1):
        yield sse("metric", metrics(step), step)
    while job and _phase(world, name) not in FINAL:
        await asyncio.sleep(LIVE_SECONDS)
        if _phase(world, name) == "Running" and last < 140:
            last += 1
            job["status"]["progress"] |= {"step": last, "display": f"{last}/200"}
            yield sse("metric", metrics(last), last)
            async with world.changed:
                world.changed.notify_all()
    yield sse("end", {})


async def _logs(world: World, name: str, after: int) -> AsyncIterator[str]:
    yield "retry: 2000\n\n"
    job = world.find(name)
    if job is None or not job["status"]["attempt"]:
        yield sse("end", {})
        return
    for index in range(after, LOG_LINES):
        yield sse("log", log_line(index), index + 1)
    index = LOG_LINES
    while _phase(world, name) not in FINAL:
        await asyncio.sleep(LIVE_SECONDS)
        if _phase(world, name) == "Running":
            yield sse("log", log_line(index), index + 1)
            index += 1
    yield sse("end", {})
