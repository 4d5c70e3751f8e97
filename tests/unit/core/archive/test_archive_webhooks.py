import json
from datetime import timedelta
from typing import Any

import pytest

from vppo_core.archive.database import Database
from vppo_core.archive.errors import JobNotFoundError
from vppo_core.archive.events import events_after
from vppo_core.archive.records import Backlog, DeliveryRecord, WebhookRecord, timestamp
from vppo_core.archive.webhooks import (
    create_webhook,
    delete_webhook,
    deliveries,
    delivery_backlog,
    due_deliveries,
    record_delivery,
    redeliver,
    webhooks,
)
from vppo_core.spec.status import JobPhase


def hook(life: Any, name: str, *events: str, owner: str = "ann") -> WebhookRecord:
    return create_webhook(
        life.db,
        id=name,
        url=f"https://{name}.example/",
        secret=f"secret of {name}",
        events=events,
        owner=owner,
        now=life.now,
    )


def sent(life: Any, number: int, status: int | None, *, again_in: float | None = None) -> None:
    next_try = None if again_in is None else life.now + timedelta(seconds=again_in)
    error = "" if status == 200 else "no answer"
    record_delivery(life.db, number, status, error, next_try, life.now)


def due(life: Any, seconds: float = 0.0) -> list[int]:
    moment = life.now + timedelta(seconds=seconds)
    return [delivery.number for delivery, _, _ in due_deliveries(life.db, moment, 10)]


def only(life: Any) -> DeliveryRecord:
    (delivery,) = deliveries(life.db, "all", 10)
    return delivery


def test_webhooks_are_listed_oldest_first_without_their_secret(db: Database, life: Any) -> None:
    ann, bob = hook(life, "z", "Created"), hook(life, "zz", owner="bob")
    assert webhooks(db) == [ann, bob]
    assert webhooks(db, owner="bob") == [bob]
    assert ann.events == ("Created",)
    assert "secret of" not in repr(webhooks(db))


def test_an_event_leaves_a_message_for_each_webhook_that_wants_it(db: Database, life: Any) -> None:
    for name, events in (("all", ()), ("this", ("Created", "X")), ("other", ("X",))):
        hook(life, name, *events)
    life.made("first")
    counts = {name: len(deliveries(db, name, 10)) for name in ("all", "this", "other")}
    assert counts == {"all": 1, "this": 1, "other": 0}


def test_a_message_says_what_happened(db: Database, life: Any) -> None:
    hook(life, "all")
    job = life.made("first")
    (event,) = events_after(db, job.uid, after=0, limit=10)
    assert json.loads(only(life).body) == {
        "id": f"evt-{event.seq}",
        "type": "Created",
        "time": timestamp(event.time),
        "seq": event.seq,
        "job": {"name": "first", "uid": job.uid, "phase": "Pending"},
        "message": event.message,
        "payload": event.payload,
    }


def test_a_job_that_was_refused_leaves_no_message(db: Database, life: Any) -> None:
    life.made("first")
    hook(life, "all")
    with pytest.raises(Exception, match="got 'first'"):
        life.made("first")
    assert deliveries(db, "all", 10) == []


def test_a_due_message_comes_with_its_webhook_and_secret(db: Database, life: Any) -> None:
    record = hook(life, "all")
    life.made("first")
    ((delivery, webhook, secret),) = due_deliveries(db, life.now, 10)
    assert (webhook, secret) == (record, "secret of all")
    assert (delivery.webhook_id, delivery.attempts, delivery.delivered) == ("all", 0, None)


def test_a_message_is_leased_to_one_sender_for_a_while(life: Any) -> None:
    hook(life, "all")
    life.made("first")
    (number,) = due(life)
    assert due(life, 59) == []
    assert due(life, 60) == [number]


def test_at_most_so_many_messages_are_leased_longest_due_first(db: Database, life: Any) -> None:
    hook(life, "all")
    for name in ("a", "b", "c"):
        life.made(name)
    first = [one.number for one, _, _ in due_deliveries(db, life.now, 2)]
    assert first == sorted(first)
    assert len(first) == 2
    assert due(life) == [first[-1] + 1]


def test_a_delivered_message_is_not_due_again(life: Any) -> None:
    hook(life, "all")
    life.made("first")
    (number,) = due(life)
    sent(life, number, 204)
    delivery = only(life)
    assert (delivery.attempts, delivery.last_status, delivery.next_try) == (1, 204, None)
    assert delivery.delivered == life.now
    assert due(life, 1e6) == []


def test_a_failed_message_is_due_when_it_is_to_be_tried_again(life: Any) -> None:
    hook(life, "all")
    life.made("first")
    (number,) = due(life)
    sent(life, number, None, again_in=300)
    assert (only(life).last_error, only(life).delivered) == ("no answer", None)
    assert (due(life, 299), due(life, 300)) == ([], [number])


def test_a_message_that_is_given_up_was_not_delivered(life: Any) -> None:
    hook(life, "all")
    life.made("first")
    sent(life, due(life)[0], 500)
    assert (only(life).delivered, only(life).next_try, only(life).attempts) == (None, None, 1)


def test_the_backlog_is_what_waits_and_as_old_as_its_first_event(life: Any) -> None:
    hook(life, "all")
    assert delivery_backlog(life.db, life.now) == Backlog(count=0, oldest_seconds=0.0)
    life.made("first")
    life.made("second")  # a second later
    life.now += timedelta(seconds=60)
    assert delivery_backlog(life.db, life.now) == Backlog(count=2, oldest_seconds=61.0)
    sent(life, 1, 200)
    assert delivery_backlog(life.db, life.now) == Backlog(count=1, oldest_seconds=60.0)
    sent(life, 2, None, again_in=3600)
    assert delivery_backlog(life.db, life.now).count == 1
    sent(life, 2, None)
    assert delivery_backlog(life.db, life.now).count == 0


def test_a_message_is_sent_once_more_on_demand(db: Database, life: Any) -> None:
    hook(life, "all")
    life.made("first")
    (number,) = due(life)
    sent(life, number, 200)
    again = redeliver(db, "all", number, life.now)
    assert (again.next_try, again.delivered, again.attempts) == (life.now, None, 1)
    assert due(life) == [number]


def test_deliveries_come_newest_first(db: Database, life: Any) -> None:
    hook(life, "all")
    record = life.made("first")
    life.reach(record.uid, JobPhase.FAILED)
    life.made("first")
    numbers = [delivery.number for delivery in deliveries(db, "all", 10)]
    assert numbers == sorted(numbers, reverse=True)
    assert [one.number for one in deliveries(db, "all", 1)] == numbers[:1]


def test_a_deleted_webhook_takes_its_messages_along(db: Database, life: Any) -> None:
    hook(life, "all")
    life.made("first")
    (number,) = due(life)
    delete_webhook(db, "all")
    assert webhooks(db) == []
    assert due(life, 1e6) == []
    sent(life, number, 200)


def test_what_is_unknown_is_not_found(db: Database, life: Any) -> None:
    for name in ("all", "other"):
        hook(life, name)
    life.made("first")
    theirs = deliveries(db, "other", 1)[0].number
    with pytest.raises(JobNotFoundError, match="a delivery of the webhook 'all'"):
        redeliver(db, "all", theirs, life.now)
    for call in (lambda: delete_webhook(db, "absent"), lambda: deliveries(db, "absent", 1)):
        with pytest.raises(JobNotFoundError, match="got 'absent'"):
            call()
