"""Server-sent events: how a message is written, and a response that ends with its client."""

import contextlib
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractContextManager, aclosing
from typing import Final

import anyio
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

RETRY: Final = b"retry: 2000\n\n"
KEEP_ALIVE: Final = b": keep-alive\n\n"
_HEADERS: Final = {
    "Cache-Control": "no-store",
    # Proxies that buffer would hold messages back until their buffer is full.
    "X-Accel-Buffering": "no",
    "Vary": "Accept",
}


def frame(event: str, data: bytes, *, position: str | None = None) -> bytes:
    """One message. Line breaks in the data become lines of their own, as a client joins them.

    Args:
        position: what the client sends back as `Last-Event-ID`; "" makes it forget the last one,
            None leaves it.

    Raises:
        ValueError: a position that would break the message.
    """
    if position is not None and any(sign in position for sign in "\r\n\0"):
        raise ValueError(f"a position must be one line without NUL, got {position!r}")
    head = f"event: {event}\n" if position is None else f"event: {event}\nid: {position}\n"
    # bytes.splitlines breaks at \n, \r and \r\n alone, which is what a client does.
    lines = data.splitlines() or [b""]
    if data.endswith((b"\n", b"\r")):
        lines.append(b"")
    return head.encode() + b"".join(b"data: %b\n" % line for line in lines) + b"\n"


class EventStream(Response):
    """Sends chunks as they come; a client that goes takes everything of its stream along."""

    media_type = "text/event-stream"

    def __init__(
        self,
        chunks: AsyncGenerator[bytes, None],
        *,
        hold: Callable[[], AbstractContextManager[object]] = contextlib.nullcontext,
    ) -> None:
        """Nothing is asked of `chunks` before the response is sent.

        Args:
            hold: entered first and left last: the caller's place among the streams.
        """
        super().__init__(headers=_HEADERS)
        del self.headers["content-length"]
        self._chunks = chunks
        self._hold = hold

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send.

        Raises:
            Whatever `hold` and the first chunk raise; nothing was sent then, so that it can
            still become a reply.
        """
        del scope
        with self._hold():
            async with aclosing(self._chunks):
                first = await anext(self._chunks)
                async with anyio.create_task_group() as group:
                    group.start_soon(_when_client_goes, receive, group.cancel_scope.cancel)
                    await self._send(send, first)
                    group.cancel_scope.cancel()

    async def _send(self, send: Send, first: bytes) -> None:
        await send(
            {
                "type": "http.response.start",
                "status": self.status_code,
                "headers": self.raw_headers,
            }
        )
        await send({"type": "http.response.body", "body": RETRY + first, "more_body": True})
        async for chunk in self._chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _when_client_goes(receive: Receive, then: Callable[[], None]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    then()
