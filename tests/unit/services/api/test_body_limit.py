"""Bodies are read before anything else, and no further than they may be."""

import asyncio
from typing import Any

import pytest

from vppo_services.api.body_limit import BodyLimit
from vppo_services.api.errors import ApiError
from vppo_services.api.limits import MAX_BODY


class FakeReader:
    """An application that reads its body and what comes after it."""

    def __init__(self) -> None:
        self.received: list[Any] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        del scope, send
        self.received = [await receive(), await receive()]


class FakeClient:
    """Sends these parts, and goes."""

    def __init__(self, *parts: bytes, is_endless: bool = False) -> None:
        self.parts = list(parts)
        self.is_endless = is_endless
        self.sent = 0

    async def __call__(self) -> dict[str, Any]:
        if not self.parts:
            return {"type": "http.disconnect"}
        self.sent += 1
        part = self.parts[0] if self.is_endless else self.parts.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(self.parts)}


async def _nowhere(message: Any) -> None:
    del message


def serve(client: FakeClient, *, length: str = "", method: str = "POST") -> FakeReader:
    reader = FakeReader()
    headers = [(b"content-length", length.encode())] if length else []
    scope = {"type": "http", "method": method, "headers": headers}
    asyncio.run(BodyLimit(reader)(scope, client, _nowhere))
    return reader


def test_a_body_arrives_whole_and_then_the_client_is_heard() -> None:
    reader = serve(FakeClient(b"ab", b"", b"cd"))
    assert reader.received == [
        {"type": "http.request", "body": b"abcd", "more_body": False},
        {"type": "http.disconnect"},
    ]


def test_a_body_as_large_as_it_may_be_arrives() -> None:
    reader = serve(FakeClient(b"x" * MAX_BODY), length=str(MAX_BODY))
    assert len(reader.received[0]["body"]) == MAX_BODY


def test_an_announced_body_is_refused_unread() -> None:
    client = FakeClient(b"x" * 10)
    for length in (str(MAX_BODY + 1), "9" * 5000):
        with pytest.raises(ApiError) as caught:
            serve(client, length=length)
        assert (caught.value.status, client.sent) == (413, 0)


def test_an_endless_body_is_refused_while_it_comes() -> None:
    client = FakeClient(b"x" * 65_536, is_endless=True)
    with pytest.raises(ApiError) as caught:
        serve(client)
    assert (caught.value.status, caught.value.code) == (413, "too_large")
    assert client.sent == 5


def test_a_client_that_goes_while_it_sends_is_not_served() -> None:
    class FakeBroken(FakeClient):
        async def __call__(self) -> dict[str, Any]:
            message = await super().__call__()
            return message | ({"more_body": True} if "body" in message else {})

    assert serve(FakeBroken(b"half")).received == []


def test_requests_without_a_body_pass() -> None:
    client = FakeClient(b"x" * 65_536, is_endless=True)
    assert serve(client, method="GET").received[0]["body"] == b"x" * 65_536
