"""Sending calls and following streams: once blocking, once for asyncio."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import aclosing, closing
from typing import Self, TypeVar

import httpx

from vppo_services.cli.client.calls import Call, Stream
from vppo_services.cli.client.exchange import (
    TIMEOUT_SECONDS,
    chosen,
    failure,
    options,
    refusal,
    reply_of,
    request_of,
    stream_request,
    wait_or_raise,
)
from vppo_services.cli.client.following import Following
from vppo_services.cli.client.problems import ApiProblem, ServerAwayProblem
from vppo_services.cli.client.retries import Retries
from vppo_services.cli.server import Server

OnReconnect = Callable[[ApiProblem | None, int], None]
"""Told before a stream is connected again: why, and how many times in a row it was in vain."""

Result = TypeVar("Result")
Item = TypeVar("Item")

_RETRIES = Retries()


class SyncSender:
    """Connections that block. `server` is an address; without it, the environment says."""

    def __init__(
        self,
        server: Server | str | None = None,
        *,
        retries: Retries = _RETRIES,
        timeout_seconds: float = TIMEOUT_SECONDS,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.server = chosen(server)
        self.on_reconnect: OnReconnect | None = None
        self._retries = retries
        self._sleep = sleep
        self._http = httpx.Client(transport=transport, **options(self.server, timeout_seconds))

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _send(self, call: Call[Result]) -> Result:
        tried = 0
        while True:
            tried += 1
            try:
                response = self._http.send(request_of(self._http, self.server, call))
                return call.read(reply_of(response, self.server))
            except httpx.RequestError as error:
                problem = failure(error, self.server)
            except ApiProblem as error:
                problem = error
            self._sleep(wait_or_raise(self._retries, tried, problem, call))

    def _follow(self, stream: Stream[Item]) -> Generator[Item, None, None]:
        following = Following(stream, self._retries, address=self.server.address)
        while not following.is_over:
            problem: ApiProblem | None = None
            try:
                yield from self._listen(following)
            except httpx.RequestError as error:
                problem = failure(error, self.server)
            except ServerAwayProblem as error:
                problem = error
            if not following.is_over:
                self._sleep(_pause(following, problem, self.on_reconnect))

    def _listen(self, following: Following[Item]) -> Generator[Item, None, None]:
        request = stream_request(self._http, self.server, following)
        with closing(self._http.send(request, stream=True)) as response:
            if not response.is_success:
                response.read()
                raise refusal(response, self.server)
            for piece in response.iter_bytes():
                yield from following.take(piece)
                if following.is_over:
                    return


class AsyncSender:
    """Connections for asyncio. `server` is an address; without it, the environment says."""

    def __init__(
        self,
        server: Server | str | None = None,
        *,
        retries: Retries = _RETRIES,
        timeout_seconds: float = TIMEOUT_SECONDS,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.server = chosen(server)
        self.on_reconnect: OnReconnect | None = None
        self._retries = retries
        self._sleep = sleep
        self._http = httpx.AsyncClient(transport=transport, **options(self.server, timeout_seconds))

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _send(self, call: Call[Result]) -> Result:
        tried = 0
        while True:
            tried += 1
            try:
                response = await self._http.send(request_of(self._http, self.server, call))
                return call.read(reply_of(response, self.server))
            except httpx.RequestError as error:
                problem = failure(error, self.server)
            except ApiProblem as error:
                problem = error
            await self._sleep(wait_or_raise(self._retries, tried, problem, call))

    async def _follow(self, stream: Stream[Item]) -> AsyncGenerator[Item, None]:
        following = Following(stream, self._retries, address=self.server.address)
        while not following.is_over:
            problem: ApiProblem | None = None
            try:
                async with aclosing(self._listen(following)) as items:
                    async for item in items:
                        yield item
            except httpx.RequestError as error:
                problem = failure(error, self.server)
            except ServerAwayProblem as error:
                problem = error
            if not following.is_over:
                await self._sleep(_pause(following, problem, self.on_reconnect))

    async def _listen(self, following: Following[Item]) -> AsyncGenerator[Item, None]:
        request = stream_request(self._http, self.server, following)
        async with aclosing(await self._http.send(request, stream=True)) as response:
            if not response.is_success:
                await response.aread()
                raise refusal(response, self.server)
            async for piece in response.aiter_bytes():
                for item in following.take(piece):
                    yield item
                if following.is_over:
                    return


def _pause(
    following: Following[Item], problem: ApiProblem | None, told: OnReconnect | None
) -> float:
    seconds = following.pause(problem)
    if told is not None and following.was_heard:
        told(problem, following.failures)
    return seconds
