"""Places that are told of events, and the messages that wait for them."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Select, delete, func, insert, select, update

from vppo_core.archive.errors import JobNotFoundError
from vppo_core.archive.records import Backlog, DeliveryRecord, WebhookRecord
from vppo_core.archive.tables import IS_WAITING, outbox
from vppo_core.archive.tables import webhooks as hooks
from vppo_core.archive.transactions import Database

MAX_ERROR: Final = 500
"""Signs of an error that are kept."""

_HOOK: Final = tuple(column for column in hooks.c if column.name != "secret")


def create_webhook(
    db: Database,
    *,
    id: str,
    url: str,
    secret: str,
    events: Sequence[str],
    owner: str,
    now: datetime,
    namespace: str = "",
) -> WebhookRecord:
    """A place that is told of every event from now on whose reason is in `events`; empty: all.

    Args:
        namespace: whose jobs it is told of; empty: all.
    """
    record = WebhookRecord(
        id=id, url=url, events=tuple(events), owner=owner, created=now, namespace=namespace
    )
    with db.writing() as connection:
        connection.execute(
            insert(hooks).values(
                id=id,
                url=url,
                secret=secret,
                events=list(events),
                owner=owner,
                created=now,
                namespace=namespace or None,
            )
        )
    return record


def webhooks(
    db: Database, owner: str | None = None, *, namespace: str | None = None
) -> list[WebhookRecord]:
    """All webhooks, or those of an owner and of a namespace, oldest first."""
    query = select(*_HOOK).order_by(hooks.c.created, hooks.c.id)
    if owner is not None:
        query = query.where(hooks.c.owner == owner)
    if namespace is not None:
        query = query.where(hooks.c.namespace == namespace)
    with db.reading() as connection:
        return [_hook(row) for row in connection.execute(query).mappings()]


def delete_webhook(db: Database, id: str) -> None:
    """Stop telling it; its messages go too.

    Raises:
        JobNotFoundError: there is no such webhook.
    """
    with db.writing() as connection:
        if not connection.execute(delete(hooks).where(hooks.c.id == id)).rowcount:
            raise _unknown_hook(id)


def deliveries(db: Database, webhook_id: str, limit: int = 100) -> list[DeliveryRecord]:
    """Messages to a webhook, newest first.

    Raises:
        JobNotFoundError: there is no such webhook.
    """
    newest = select(outbox).where(outbox.c.webhook_id == webhook_id)
    with db.reading() as connection:
        if connection.execute(select(hooks.c.id).where(hooks.c.id == webhook_id)).first() is None:
            raise _unknown_hook(webhook_id)
        rows = connection.execute(newest.order_by(outbox.c.number.desc()).limit(limit)).mappings()
        return [DeliveryRecord(**row) for row in rows]


def due_deliveries(
    db: Database, now: datetime, limit: int, lease_seconds: float = 60
) -> list[tuple[DeliveryRecord, WebhookRecord, str]]:
    """Messages to send now, each with its webhook and secret, longest due first.

    They are the caller's for `lease_seconds`; if it does not say by then how it went, they are due
    again. Two senders never get the same message at the same time.
    """
    due = _due(now, limit)
    with db.reading() as connection:  # mostly there is nothing to do, and no lock to wait for
        if connection.execute(due).first() is None:
            return []
    with db.writing() as connection:
        numbers = list(connection.execute(due.with_for_update(skip_locked=True)).scalars())
        connection.execute(
            update(outbox)
            .where(outbox.c.number.in_(numbers))
            .values(next_try=now + timedelta(seconds=lease_seconds))
        )
        columns = [column.label(f"hook_{column.name}") for column in hooks.c]
        rows = connection.execute(
            select(outbox, *columns)
            .join(hooks, hooks.c.id == outbox.c.webhook_id)
            .where(outbox.c.number.in_(numbers))
            .order_by(outbox.c.number)
        ).mappings()
        return [_with_hook(dict(row)) for row in rows]


def delivery_backlog(db: Database, now: datetime) -> Backlog:
    """Messages that wait, by the index that holds nothing else."""
    waiting = select(func.count(), func.min(outbox.c.number)).where(IS_WAITING)
    with db.reading() as connection:
        count, first = connection.execute(waiting).one()
        body = connection.execute(select(outbox.c.body).where(outbox.c.number == first)).scalar()
    if body is None:
        return Backlog(count=count, oldest_seconds=0.0)
    age = now - datetime.fromisoformat(json.loads(body)["time"])
    return Backlog(count=count, oldest_seconds=max(age.total_seconds(), 0.0))


def record_delivery(
    db: Database,
    number: int,
    status: int | None,
    error: str,
    next_try: datetime | None,
    now: datetime,
) -> None:
    """Write down how sending went; a message whose webhook is gone is gone too.

    Args:
        status: HTTP status of the answer; None where there was none.
        next_try: None ends it: delivered if the status is 2xx, given up otherwise.
    """
    is_delivered = next_try is None and status is not None and 200 <= status < 300
    with db.writing() as connection:
        connection.execute(
            update(outbox)
            .where(outbox.c.number == number)
            .values(
                attempts=outbox.c.attempts + 1,
                next_try=next_try,
                delivered=now if is_delivered else None,
                last_status=status,
                last_error=error[:MAX_ERROR],
            )
        )


def redeliver(db: Database, webhook_id: str, number: int, now: datetime) -> DeliveryRecord:
    """The message, due once more, at once.

    Raises:
        JobNotFoundError: the webhook has no such message.
    """
    mine = (outbox.c.number == number, outbox.c.webhook_id == webhook_id)
    with db.writing() as connection:
        again = update(outbox).where(*mine).values(next_try=now, delivered=None)
        if not connection.execute(again).rowcount:
            raise JobNotFoundError(
                f"a delivery of the webhook '{webhook_id}' must exist, got {number}; "
                "`GET /webhooks/ID/deliveries` lists them"
            )
        row = connection.execute(select(outbox).where(*mine)).mappings().one()
        return DeliveryRecord(**row)


def _due(now: datetime, limit: int) -> Select[tuple[int]]:
    return (
        select(outbox.c.number)
        .where(IS_WAITING, outbox.c.next_try <= now)
        .order_by(outbox.c.next_try, outbox.c.number)
        .limit(limit)
    )


def _hook(row: Any) -> WebhookRecord:
    values = {"events": tuple(row["events"]), "namespace": row["namespace"] or ""}
    return WebhookRecord(**{**row, **values})


def _with_hook(row: dict[str, Any]) -> tuple[DeliveryRecord, WebhookRecord, str]:
    hook = {name: row.pop(f"hook_{name}") for name in hooks.c.keys()}  # noqa: SIM118
    secret = hook.pop("secret")
    return DeliveryRecord(**row), _hook(hook), secret


def _unknown_hook(id: str) -> JobNotFoundError:
    return JobNotFoundError(f"a webhook must exist, got '{id}'; `GET /webhooks` lists them")
