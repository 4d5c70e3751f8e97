"""The part of the store that remembers who is told of events."""

import secrets
from collections.abc import Callable, Sequence
from datetime import datetime

from vppo_core.archive import webhooks
from vppo_core.archive.database import Database
from vppo_core.archive.records import Backlog, DeliveryRecord, WebhookRecord


class WebhookStore:
    """Webhooks and their messages."""

    def __init__(self, db: Database, clock: Callable[[], datetime], *, namespace: str = "") -> None:
        """Webhooks of one namespace, told of its jobs alone; of none: of all jobs."""
        self._db = db
        self._clock = clock
        self._told_of = namespace

    def webhooks(self, *, owner: str | None = None) -> Sequence[WebhookRecord]:
        """All webhooks, oldest first."""
        return webhooks.webhooks(self._db, owner=owner, namespace=self._told_of or None)

    def create_webhook(
        self, url: str, *, secret: str, events: Sequence[str], owner: str
    ) -> WebhookRecord:
        """Tell a place of events from now on."""
        return webhooks.create_webhook(
            self._db,
            id=f"wh-{secrets.token_hex(8)}",
            url=url,
            secret=secret,
            events=tuple(events),
            owner=owner,
            now=self._clock(),
            namespace=self._told_of,
        )

    def delete_webhook(self, webhook_id: str, *, actor: str) -> None:  # noqa: ARG002
        """Stop telling it."""
        webhooks.delete_webhook(self._db, webhook_id)

    def deliveries(self, webhook_id: str, *, limit: int = 100) -> Sequence[DeliveryRecord]:
        """Messages to a webhook, newest first."""
        return webhooks.deliveries(self._db, webhook_id, limit)

    def redeliver(self, webhook_id: str, number: int, *, actor: str) -> DeliveryRecord:  # noqa: ARG002
        """Send a message once more, at once."""
        return webhooks.redeliver(self._db, webhook_id, number, self._clock())

    def due_deliveries(
        self, *, now: datetime, limit: int
    ) -> Sequence[tuple[DeliveryRecord, WebhookRecord, str]]:
        """Messages to send now, each with its webhook and secret; leased for a minute."""
        return webhooks.due_deliveries(self._db, now, limit)

    def delivery_backlog(self) -> Backlog:
        """Messages that wait, whatever namespace they tell of."""
        return webhooks.delivery_backlog(self._db, self._clock())

    def record_delivery(
        self,
        number: int,
        *,
        status: int | None,
        error: str,
        next_try: datetime | None,
        now: datetime,
    ) -> None:
        """Write down how sending went; `next_try` None ends it."""
        webhooks.record_delivery(self._db, number, status, error, next_try, now)
