"""The sender of webhooks: what it sends, to whom, and what it does when that fails."""

import asyncio
import hmac
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from vppo_core.archive.errors import StoreUnavailableError
from vppo_core.archive.records import DeliveryRecord, WebhookRecord
from vppo_services.api.outbox import Outbox, next_try

pytestmark = pytest.mark.anyio

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
SECRET = "0123456789abcdef"
BODY = '{"id":"evt-7","type":"Succeeded","time":"2026-11-01T12:00:00.000Z","message":"Größe"}'


class FakeOutboxStore:
    """Messages with leases, as the archive keeps them."""

    def __init__(self) -> None:
        self.hook = WebhookRecord(
            id="wh-1", url="https://hooks.example/in?a=b", events=(), owner="ada", created=NOON
        )
        self.rows: dict[int, DeliveryRecord] = {}
        self.error: Exception | None = None

    def add(self, number: int = 1, **changes: Any) -> None:
        row = DeliveryRecord(
            number=number,
            webhook_id="wh-1",
            event_seq=7,
            body=BODY,
            attempts=0,
            next_try=NOON,
            delivered=None,
            last_status=None,
            last_error="",
        )
        self.rows[number] = replace(row, **changes)

    def due_deliveries(
        self, *, now: datetime, limit: int
    ) -> Sequence[tuple[DeliveryRecord, WebhookRecord, str]]:
        if self.error is not None:
            raise self.error
        due = [r for r in self.rows.values() if r.next_try is not None and r.next_try <= now]
        for row in due[:limit]:
            self.rows[row.number] = replace(row, next_try=now + timedelta(seconds=60))
        return [(row, self.hook, SECRET) for row in due[:limit]]

    def record_delivery(
        self,
        number: int,
        *,
        status: int | None,
        error: str,
        next_try: datetime | None,
        now: datetime,
    ) -> None:
        row = self.rows[number]
        is_delivered = next_try is None and status is not None and 200 <= status < 300
        self.rows[number] = replace(
            row,
            attempts=row.attempts + 1,
            next_try=next_try,
            delivered=now if is_delivered else None,
            last_status=status,
            last_error=error,
        )


class Post:
    """A sender, what it sent, and how the receiver answers."""

    def __init__(self) -> None:
        self.store = FakeOutboxStore()
        self.now = NOON
        self.addresses = ["93.184.216.34"]
        self.requests: list[httpx.Request] = []
        self.counted: list[str] = []
        self.answer: Callable[[httpx.Request], httpx.Response] = lambda _: httpx.Response(204)

    def sender(self) -> Outbox:
        client = httpx.AsyncClient(transport=httpx.MockTransport(self._receive))
        return Outbox(
            self.store,  # type: ignore[arg-type]
            client,
            lambda: self.now,
            False,
            resolver=self._resolve,
            count=self.counted.append,
        )

    def _receive(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self.answer(request)

    async def _resolve(self, host: str, port: int) -> Sequence[str]:
        assert (host, port) == ("hooks.example", 443)
        return self.addresses


@pytest.fixture
def post() -> Post:
    return Post()


async def test_message_is_signed_so_that_a_receiver_can_check_it(post: Post) -> None:
    post.store.add(42)
    assert await post.sender().step() == 1
    request = post.requests[0]
    assert request.method == "POST"
    assert request.content == BODY.encode()
    assert request.headers["content-type"] == "application/json"
    assert request.headers["x-vppo-delivery"] == "42"
    timestamp = request.headers["x-vppo-timestamp"]
    assert timestamp == str(int(NOON.timestamp()))
    by_hand = hmac.digest(SECRET.encode(), f"{timestamp}.{BODY}".encode(), "sha256").hex()
    assert request.headers["x-vppo-signature"] == f"v1={by_hand}"
    assert SECRET not in str(request.headers)


async def test_connection_goes_to_the_address_that_was_checked(post: Post) -> None:
    post.store.add()
    await post.sender().step()
    request = post.requests[0]
    assert str(request.url) == "https://93.184.216.34/in?a=b"
    assert request.headers["host"] == "hooks.example"
    assert request.extensions["sni_hostname"] == "hooks.example"


async def test_name_that_leads_inside_later_is_not_called(post: Post) -> None:
    post.store.add()
    post.addresses = ["127.0.0.1"]
    await post.sender().step()
    assert post.requests == []
    row = post.store.rows[1]
    assert "public address" in row.last_error
    assert row.next_try == NOON + timedelta(seconds=10)


async def test_redirect_is_not_followed(post: Post) -> None:
    post.store.add()
    post.answer = lambda _: httpx.Response(302, headers={"Location": "http://127.0.0.1/"})
    await post.sender().step()
    assert len(post.requests) == 1
    row = post.store.rows[1]
    assert (row.last_status, row.delivered) == (302, None)
    assert row.next_try is not None


@pytest.mark.parametrize("status", [200, 201, 204, 299])
async def test_any_2xx_is_a_delivery(post: Post, status: int) -> None:
    post.store.add()
    post.answer = lambda _: httpx.Response(status)
    await post.sender().step()
    row = post.store.rows[1]
    assert (row.delivered, row.next_try, row.last_error) == (NOON, None, "")
    assert await post.sender().step() == 0


def _refuse(_: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("connection refused")


@pytest.mark.parametrize(
    ("answer", "status", "error"),
    [
        pytest.param(lambda _: httpx.Response(500), 500, "answered 500", id="server-error"),
        pytest.param(lambda _: httpx.Response(404), 404, "answered 404", id="not-found"),
        pytest.param(_refuse, None, "ConnectError: connection refused", id="no-connection"),
    ],
)
async def test_failure_is_written_down_and_tried_again(
    post: Post, answer: Any, status: int | None, error: str
) -> None:
    post.store.add()
    post.answer = answer
    await post.sender().step()
    row = post.store.rows[1]
    assert (row.last_status, row.attempts, row.delivered) == (status, 1, None)
    assert error in row.last_error
    post.answer = lambda _: httpx.Response(200)
    post.now = NOON + timedelta(seconds=9)
    assert await post.sender().step() == 0
    post.now = NOON + timedelta(seconds=10)
    assert await post.sender().step() == 1
    assert post.store.rows[1].delivered == post.now


async def test_tries_double_up_to_an_hour_and_end_after_a_day(post: Post) -> None:
    post.store.add()
    post.answer = _refuse
    waits = []
    while (due := post.store.rows[1].next_try) is not None:
        waits.append((due - post.now).total_seconds())
        post.now = due
        await post.sender().step()
    assert waits[:11] == [0, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600]
    assert set(waits[10:]) == {3600.0}
    assert timedelta(hours=23) < post.now - NOON <= timedelta(hours=24)
    assert post.store.rows[1].delivered is None


def test_message_sent_again_by_hand_after_a_day_has_one_try() -> None:
    row = DeliveryRecord(
        number=1,
        webhook_id="wh-1",
        event_seq=7,
        body=BODY,
        attempts=40,
        next_try=None,
        delivered=None,
        last_status=None,
        last_error="",
    )
    assert next_try(row, now=NOON + timedelta(days=3)) is None


async def test_two_senders_do_not_send_the_same_message(post: Post) -> None:
    for number in range(1, 31):
        post.store.add(number)
    one, other = post.sender(), post.sender()
    while any(row.delivered is None for row in post.store.rows.values()):
        await asyncio.gather(one.step(), other.step())
    sent = [request.headers["x-vppo-delivery"] for request in post.requests]
    assert sorted(sent, key=int) == [str(number) for number in range(1, 31)]


async def test_message_of_a_sender_that_died_is_sent_when_its_lease_ends(post: Post) -> None:
    post.store.add()
    post.store.due_deliveries(now=NOON, limit=1)  # a sender takes it and is never seen again
    assert await post.sender().step() == 0
    post.now = NOON + timedelta(seconds=60)
    assert await post.sender().step() == 1
    assert post.store.rows[1].delivered == post.now


async def test_one_bad_receiver_does_not_stop_the_others(post: Post) -> None:
    post.store.add(1)
    post.store.add(2)

    def answer(request: httpx.Request) -> httpx.Response:
        return (
            _refuse(request) if request.headers["x-vppo-delivery"] == "1" else httpx.Response(200)
        )

    post.answer = answer
    assert await post.sender().step() == 2
    assert post.store.rows[1].delivered is None
    assert post.store.rows[2].delivered == NOON


async def test_sender_outlives_a_store_that_is_away_and_stops_when_told(post: Post) -> None:
    post.store.add()
    post.store.error = StoreUnavailableError("the database is locked; try again")
    stop = asyncio.Event()
    running = asyncio.create_task(post.sender().run(stop))
    await asyncio.sleep(0.05)
    assert not running.done()
    post.store.error = None
    async with asyncio.timeout(20):
        while post.store.rows[1].delivered is None:
            await asyncio.sleep(0.01)
        stop.set()
        await running
    assert json.loads(post.requests[0].content)["type"] == "Succeeded"


async def test_each_try_is_counted_by_how_it_went(post: Post) -> None:
    post.store.add(1)
    await post.sender().step()
    post.answer = lambda _: httpx.Response(500)
    post.store.add(2)
    await post.sender().step()
    post.now = NOON + timedelta(hours=25)
    await post.sender().step()
    assert post.counted == ["delivered", "failed", "given_up"]
