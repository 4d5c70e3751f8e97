from typing import Any

import pytest

from vppo_core.archive.database import Database
from vppo_core.archive.errors import JobNotFoundError
from vppo_core.archive.events import add_event, events_after
from vppo_core.archive.records import EventRecord


def added(life: Any, uid: str, reason: str, **payload: Any) -> EventRecord:
    return add_event(
        life.db,
        uid=uid,
        actor="ann",
        kind="Audit",
        reason=reason,
        message="Something \0 happened.",
        payload=payload,
        now=life.now,
    )


def test_events_come_in_the_order_of_their_numbers(db: Database, life: Any) -> None:
    one, two = life.made("one"), life.made("two")
    for number in range(6):
        added(life, (one, two)[number % 2].uid, f"E{number}", number=number)
    events = events_after(db, None, after=0, limit=100)
    assert [event.seq for event in events] == sorted({event.seq for event in events})
    assert [event.reason for event in events][2:] == [f"E{number}" for number in range(6)]
    mine = events_after(db, two.uid, after=0, limit=100)
    assert [event.reason for event in mine] == ["Created", "E1", "E3", "E5"]


def test_pages_of_events_hold_each_once(db: Database, life: Any) -> None:
    job = life.made("one")
    for number in range(9):
        added(life, job.uid, f"E{number}")
    seen: list[EventRecord] = []
    while page := events_after(db, job.uid, after=seen[-1].seq if seen else 0, limit=4):
        assert len(page) <= 4
        seen.extend(page)
    assert [event.reason for event in seen] == ["Created", *(f"E{n}" for n in range(9))]


def test_an_event_keeps_its_facts(db: Database, life: Any) -> None:
    job = life.made("one")
    facts = {"phase": "Running", "step": 3, "text": "a\0b\ud800é", "nested": {"list": [1, None]}}
    added(life, job.uid, "Something", **facts)
    event = events_after(db, job.uid, after=0, limit=10)[-1]
    assert event.payload == facts
    assert (event.actor, event.kind, event.time) == ("ann", "Audit", life.now)
    assert event.message == "Something \N{REPLACEMENT CHARACTER} happened."


def test_an_event_needs_a_job(db: Database, life: Any) -> None:
    with pytest.raises(JobNotFoundError):
        added(life, "no-such-uid", "Something")
    assert events_after(db, None, after=0, limit=10) == []
