"""Reads the body of a request before anything else does, and no more of it than is allowed."""

from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vppo_services.api.limits import MAX_BODY, too_large

_WITHOUT_BODY: Final = ("GET", "HEAD", "OPTIONS")


class BodyLimit:
    """Gives `app` a body that is whole."""

    def __init__(self, app: ASGIApp) -> None:
        """In front of `app`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request.

        Raises:
            ApiError: 413.
        """
        if scope["type"] != "http" or scope["method"] in _WITHOUT_BODY:
            await self._app(scope, receive, send)
            return
        body = await _read(scope, receive)
        if body is not None:
            await self._app(scope, _Again(body, receive), send)


class _Again:
    """Receives the body once more, and then what really comes."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        if self._body is None:
            return await self._receive()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}


async def _read(scope: Scope, receive: Receive) -> bytes | None:
    """The body; None when the client went away meanwhile."""
    announced = Headers(scope=scope).get("content-length", "")
    if announced.isascii() and announced.isdigit() and int(announced[:20]) > MAX_BODY:
        raise too_large(announced[:20])
    parts: list[bytes] = []
    size, has_more = 0, True
    while has_more:
        message = await receive()
        if message["type"] != "http.request":
            return None
        part = message.get("body", b"")
        size += len(part)
        if size > MAX_BODY:
            raise too_large("more")
        parts.append(part)
        has_more = message.get("more_body", False)
    return b"".join(parts)
