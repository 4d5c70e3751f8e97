"""Routes of webhooks: who is told of events, and how telling went. `outbox.py` does the telling."""

import secrets
from datetime import datetime
from typing import Annotated, Final

import anyio.to_thread
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import Field

from vppo_core.archive.errors import JobNotFoundError, NotAllowedNowError
from vppo_core.archive.records import DeliveryRecord, WebhookRecord
from vppo_core.spec.base import SpecModel
from vppo_services.api.deps import Caller, SettingsDep, StoreDep, allowed
from vppo_services.api.job_store import JobStore
from vppo_services.api.targets import MAX_URL, Resolver, check_target, resolve

router = APIRouter(tags=["webhooks"])

MAX_PER_OWNER: Final = 50
_SECRET_BYTES: Final = 32
_Reason = Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z][A-Za-z0-9]*$")]
_Secret = Annotated[str, Field(min_length=16, max_length=256, pattern=r"^[!-~]+$")]
WebhookId = Annotated[
    str, Path(max_length=64, pattern=r"^[-_A-Za-z0-9]+$", description="The webhook's `id`.")
]
DeliveryNumber = Annotated[int, Path(ge=1, le=2**53, description="The delivery's `number`.")]


def get_resolver(request: Request) -> Resolver:
    """How host names are looked up: the system's way, unless the application has another."""
    found: Resolver = getattr(request.app.state, "resolver", resolve)
    return found


class NewWebhook(SpecModel):
    """A place to tell."""

    url: Annotated[str, Field(max_length=MAX_URL)]
    """An http or https URL at a public address."""

    events: Annotated[tuple[_Reason, ...], Field(max_length=32)] = ()
    """Reasons to tell of; none means all."""

    secret: _Secret | None = None
    """What messages are signed with, 16 characters or more; made by the server if absent."""


class Webhook(SpecModel):
    """A place that is told of events. Its secret is not shown again."""

    id: str
    """What names it in paths."""

    url: str
    """Where messages go."""

    events: tuple[str, ...]
    """Reasons that it is told of; none means all."""

    owner: str
    """Who made it; nobody else sees it."""

    created: datetime
    """When."""


class CreatedWebhook(Webhook):
    """A new webhook, with its secret."""

    secret: str
    """What messages are signed with. This is the only time that it is shown."""


class WebhookPage(SpecModel):
    """The caller's webhooks, oldest first."""

    items: tuple[Webhook, ...]
    next_cursor: None = None
    """Always null: there is one page."""


class Delivery(SpecModel):
    """One message to one webhook."""

    number: int
    """What names it in paths; also the header `X-VPPO-Delivery`."""

    event_seq: int
    """The event that it tells of."""

    attempts: int
    """How often it was sent."""

    delivered: datetime | None
    """When the receiver took it."""

    next_try: datetime | None
    """When it is sent next; null when it was delivered or given up."""

    last_status: int | None
    """What the receiver answered last, if it did."""

    last_error: str
    """What went wrong last."""


class DeliveryPage(SpecModel):
    """Messages to a webhook, newest first."""

    items: tuple[Delivery, ...]
    next_cursor: None = None
    """Always null: there is one page, of the newest."""


@router.get("/webhooks", summary="Webhooks of the caller")
def list_webhooks(
    store: StoreDep, caller: Annotated[Caller, Depends(allowed("list", "webhooks"))]
) -> WebhookPage:
    """The caller's webhooks, without secrets."""
    return WebhookPage(items=tuple(_webhook(row) for row in store.webhooks(owner=caller.name)))


@router.post("/webhooks", status_code=201, summary="Tell a place of events from now on")
async def create_webhook(
    wanted: NewWebhook,
    response: Response,
    store: StoreDep,
    settings: SettingsDep,
    caller: Annotated[Caller, Depends(allowed("create", "webhooks"))],
    resolver: Annotated[Resolver, Depends(get_resolver)],
) -> CreatedWebhook:
    """Messages are POSTed as JSON and signed: `X-VPPO-Signature: v1=<hex HMAC-SHA256>` of
    `X-VPPO-Timestamp`, a dot and the body. A message may come twice, with the same
    `X-VPPO-Delivery`. Addresses inside private networks are refused."""
    await check_target(wanted.url, allow_private=settings.allow_private_webhooks, resolver=resolver)
    secret = wanted.secret or secrets.token_urlsafe(_SECRET_BYTES)
    row = await anyio.to_thread.run_sync(lambda: _create(store, wanted, secret, caller.name))
    response.headers["Cache-Control"] = "no-store"
    return CreatedWebhook(**_webhook(row).model_dump(), secret=secret)


def _create(store: JobStore, wanted: NewWebhook, secret: str, owner: str) -> WebhookRecord:
    if len(store.webhooks(owner=owner)) >= MAX_PER_OWNER:
        raise NotAllowedNowError(
            f"a caller must have at most {MAX_PER_OWNER} webhooks; delete one that is not needed"
        )
    return store.create_webhook(wanted.url, secret=secret, events=wanted.events, owner=owner)


@router.delete("/webhooks/{webhook_id}", status_code=204, summary="Tell a place no more")
def delete_webhook(
    webhook_id: WebhookId,
    store: StoreDep,
    caller: Annotated[Caller, Depends(allowed("delete", "webhooks"))],
) -> None:
    """Messages that were not sent yet are dropped."""
    _check_owner(store, webhook_id, caller)
    store.delete_webhook(webhook_id, actor=caller.name)


@router.get("/webhooks/{webhook_id}/deliveries", summary="Messages to a webhook")
def list_deliveries(
    webhook_id: WebhookId,
    store: StoreDep,
    caller: Annotated[Caller, Depends(allowed("get", "webhooks"))],
    limit: Annotated[int, Query(ge=1, le=100, description="Most messages to show.")] = 20,
) -> DeliveryPage:
    """The newest messages and how sending them went."""
    _check_owner(store, webhook_id, caller)
    rows = store.deliveries(webhook_id, limit=limit)
    return DeliveryPage(items=tuple(_delivery(row) for row in rows))


@router.post(
    "/webhooks/{webhook_id}/deliveries/{number}:redeliver",
    status_code=202,
    summary="Send a message once more",
)
def redeliver(
    webhook_id: WebhookId,
    number: DeliveryNumber,
    store: StoreDep,
    caller: Annotated[Caller, Depends(allowed("patch", "webhooks"))],
) -> Delivery:
    """Send it at once, whether or not it was delivered, with the same number and body."""
    _check_owner(store, webhook_id, caller)
    return _delivery(store.redeliver(webhook_id, number, actor=caller.name))


def _check_owner(store: JobStore, webhook_id: str, caller: Caller) -> None:
    if all(row.id != webhook_id for row in store.webhooks(owner=caller.name)):
        raise JobNotFoundError(
            f"a webhook must be one of yours, got {webhook_id!r}; GET /webhooks lists them"
        )


def _webhook(row: WebhookRecord) -> Webhook:
    return Webhook(id=row.id, url=row.url, events=row.events, owner=row.owner, created=row.created)


def _delivery(row: DeliveryRecord) -> Delivery:
    return Delivery(
        number=row.number,
        event_seq=row.event_seq,
        attempts=row.attempts,
        delivered=row.delivered,
        next_try=row.next_try,
        last_status=row.last_status,
        last_error=row.last_error,
    )
