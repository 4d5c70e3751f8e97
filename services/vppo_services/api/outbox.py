"""Sends webhook messages: what is due, signed, at least once, to the address that was checked.

Rows are written by the archive in the transaction of their event, so none is forgotten; a row is
leased while it is sent, so two processes do not send it both. A process that dies while sending
leaves the row to the next one: a receiver may get a message twice, with the same delivery number.
"""

import asyncio
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import anyio
import anyio.to_thread
import httpx

from vppo_core.archive.errors import StoreUnavailableError
from vppo_core.archive.records import DeliveryRecord, WebhookRecord
from vppo_services.api.job_store import JobStore
from vppo_services.api.request_metrics import DELIVERED, FAILED, GIVEN_UP
from vppo_services.api.targets import RefusedTargetError, Resolver, check_target, resolve

TIMEOUT_SECONDS: Final = 10.0
FIRST_DELAY: Final = timedelta(seconds=10)
LONGEST_DELAY: Final = timedelta(hours=1)
GIVE_UP_AFTER: Final = timedelta(hours=24)
WINDOW_SECONDS: Final = 300
_AT_ONCE: Final = 16
_IDLE_SECONDS: Final = 1.0


def signature(secret: str, *, timestamp: str, body: bytes) -> str:
    """The value of `X-VPPO-Signature`."""
    digest = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256)
    return f"v1={digest.hexdigest()}"


def verify_signature(
    secret: str, *, timestamp: str, body: bytes, given: str, now: datetime
) -> bool:
    """Whether a message is from this server and not older than five minutes.

    What a receiver does, with the body as it came, before it is parsed:

        def receive(request):
            genuine = verify_signature(
                SECRET,
                timestamp=request.headers["X-VPPO-Timestamp"],
                body=request.body,
                given=request.headers["X-VPPO-Signature"],
                now=datetime.now(UTC),
            )
            if not genuine:
                return 401
            if seen_before(request.headers["X-VPPO-Delivery"]):
                return 200
            ...

    Args:
        timestamp: `X-VPPO-Timestamp`, seconds since the epoch.
        given: `X-VPPO-Signature`.
    """
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        return False
    if abs(now.timestamp() - int(timestamp)) > WINDOW_SECONDS:
        return False
    wanted = signature(secret, timestamp=timestamp, body=body)
    return hmac.compare_digest(wanted.encode(), given.encode())


def next_try(delivery: DeliveryRecord, *, now: datetime) -> datetime | None:
    """When to try again after a failure: 10 s, doubled each time up to an hour; None a day after
    the event."""
    # Beyond 2^9 the hour rules; the bound keeps the power small.
    delay = min(FIRST_DELAY * 2 ** min(delivery.attempts, 9), LONGEST_DELAY)
    event_time = datetime.fromisoformat(json.loads(delivery.body)["time"])
    return now + delay if now + delay <= event_time + GIVE_UP_AFTER else None


def new_client() -> httpx.AsyncClient:
    """A client for the outbox: no proxy of the environment, which would connect elsewhere."""
    return httpx.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=False, follow_redirects=False)


class Outbox:
    """The sender of one process; several processes may have one each."""

    def __init__(
        self,
        store: JobStore,
        client: httpx.AsyncClient,
        clock: Callable[[], datetime],
        allow_private: bool,
        *,
        resolver: Resolver = resolve,
        count: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Nothing is sent here.

        Args:
            client: from `new_client`; its owner closes it.
            clock: now, with a time zone.
            allow_private: whether webhooks may lead to private addresses.
            count: told of each try how it went: `DELIVERED`, `FAILED` or `GIVEN_UP`.
        """
        self._store = store
        self._client = client
        self._clock = clock
        self._allow_private = allow_private
        self._resolver = resolver
        self._count = count

    async def step(self) -> int:
        """Send what is due and write down how it went; how many messages were tried.

        Raises:
            StoreUnavailableError: results may be lost; those messages are sent again.
        """
        due = await anyio.to_thread.run_sync(
            lambda: self._store.due_deliveries(now=self._clock(), limit=_AT_ONCE)
        )
        async with asyncio.TaskGroup() as group:
            tries = [group.create_task(self._try(*one)) for one in due]
        for (delivery, _, _), done in zip(due, tries, strict=True):
            await self._record(delivery, *done.result())
        return len(due)

    async def run(self, stop: asyncio.Event) -> None:
        """Send until `stop` is set; a message that is being sent is finished."""
        while not stop.is_set():
            try:
                sent = await self.step()
            except StoreUnavailableError:
                sent = 0
            if sent == 0:
                with anyio.move_on_after(_IDLE_SECONDS):
                    await stop.wait()

    async def _try(
        self, delivery: DeliveryRecord, webhook: WebhookRecord, secret: str
    ) -> tuple[int | None, str]:
        """HTTP status, if any, and what went wrong; "" is a delivery."""
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                status = await self._post(delivery, webhook, secret)
        except TimeoutError:
            return None, f"no answer within {TIMEOUT_SECONDS:.0f} s"
        except RefusedTargetError as error:
            return None, str(error)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return None, f"{type(error).__name__}: {str(error) or 'the connection broke'}"
        if 200 <= status < 300:
            return status, ""
        return status, f"the receiver answered {status}"

    async def _post(self, delivery: DeliveryRecord, webhook: WebhookRecord, secret: str) -> int:
        target = await check_target(
            webhook.url, allow_private=self._allow_private, resolver=self._resolver
        )
        timestamp = str(int(self._clock().timestamp()))
        body = delivery.body.encode()
        headers = {
            "Host": target.host_header,
            "Content-Type": "application/json",
            "User-Agent": "vppo-webhooks",
            "X-VPPO-Timestamp": timestamp,
            "X-VPPO-Signature": signature(secret, timestamp=timestamp, body=body),
            "X-VPPO-Delivery": str(delivery.number),
        }
        # The name goes into TLS, where certificates are checked; the connection to the address.
        # The answer's body is not read: it could be endless.
        async with self._client.stream(
            "POST",
            target.pinned_url,
            content=body,
            headers=headers,
            follow_redirects=False,
            extensions={"sni_hostname": target.host},
        ) as reply:
            return reply.status_code

    async def _record(self, delivery: DeliveryRecord, status: int | None, error: str) -> None:
        now = self._clock()
        again = next_try(delivery, now=now) if error else None
        await anyio.to_thread.run_sync(
            lambda: self._store.record_delivery(
                delivery.number, status=status, error=error, next_try=again, now=now
            )
        )
        self._count((FAILED if again else GIVEN_UP) if error else DELIVERED)
