"""Messages to webhooks, made in the transaction of their event."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, insert, select

from vppo_core.archive.records import EventRecord, JobRecord, timestamp
from vppo_core.archive.tables import outbox, webhooks

# Held, so that a webhook that is deleted meanwhile does not fail what caused the event.
_LISTENING: Final = select(webhooks.c.id, webhooks.c.events, webhooks.c.namespace).with_for_update(
    read=True, key_share=True
)


def queue_messages(
    connection: Connection, job: JobRecord, events: Sequence[EventRecord], now: datetime
) -> None:
    """Leave a message for every webhook that wants an event; it is due at once."""
    listening = connection.execute(_LISTENING).all()
    rows = [
        {
            "webhook_id": webhook.id,
            "event_seq": event.seq,
            "body": _body(job, event),
            "attempts": 0,
            "next_try": now,
            "last_error": "",
        }
        for event in events
        for webhook in listening
        if (not webhook.events or event.reason in webhook.events)
        # Who is told of one namespace hears nothing of another.
        and webhook.namespace in (None, job.namespace)
    ]
    if rows:
        connection.execute(insert(outbox), rows)


def _body(job: JobRecord, event: EventRecord) -> str:
    body = {
        "id": f"evt-{event.seq}",
        "type": event.reason,
        "time": timestamp(event.time),
        "seq": event.seq,
        "job": {"name": job.name, "uid": job.uid, "phase": job.phase},
        "message": event.message,
        "payload": event.payload,
    }
    return json.dumps(body, separators=(",", ":"))
