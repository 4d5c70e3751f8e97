"""Does one thing with an archive; started several times, so that they race.

It says `ready`, waits for a line, does it, and says what came of it as JSON.
"""

import json
import sys
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from vppo_core.archive.database import Database, open_database
from vppo_core.archive.errors import StoreError
from vppo_core.archive.events import NewEvent, append
from vppo_core.archive.job_rows import find_job
from vppo_core.archive.jobs import create_job, patch_job
from vppo_core.archive.records import IdempotencyKey, JobChanges
from vppo_core.archive.webhooks import due_deliveries
from vppo_core.spec.job import VPPOJob

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def say(answer: object) -> None:
    """One line to who started this."""
    sys.stdout.write(f"{answer}\n")
    sys.stdout.flush()


def wait() -> None:
    """Until who started this says so."""
    say("ready")
    sys.stdin.readline()


def make(db: Database, name: str, **more: Any) -> tuple[str, bool]:
    """Uid of a job, and whether an earlier request made it."""
    spec = {"model": {"source": "demo://model"}, "data": {"source": "demo://data"}}
    job = VPPOJob.model_validate({"metadata": {"name": name}, "spec": spec})
    record, is_replay = create_job(
        db, job, uid=str(uuid.uuid4()), owner="ann", spec_hash="hash", now=NOW, **more
    )
    return record.uid, is_replay


def opened(url: str) -> str:
    """Open a database that has no tables yet."""
    wait()
    open_database(url, wait_seconds=30).close()
    return "opened"


def create(url: str, name: str, key: str = "") -> Any:
    """Create a job of this name, with this key."""
    db = open_database(url, wait_seconds=30)
    wait()
    try:
        with_key = {"idempotency": IdempotencyKey(tenant="ann", key=key)} if key else {}
        return make(db, name, **with_key)
    except StoreError as error:
        return error.code


def label(url: str, key: str) -> int:
    """Add twenty labels, each in a change of its own."""
    db = open_database(url, wait_seconds=30)
    wait()
    for number in range(20):
        changes = JobChanges(labels={f"{key}-{number}": "set"})
        patch_job(db, "shared", changes, actor=key, now=NOW)
    return 20


def lease(url: str) -> list[int]:
    """Take messages until there are no more."""
    db = open_database(url, wait_seconds=30)
    wait()
    taken: list[int] = []
    while found := due_deliveries(db, NOW, 7):
        taken.extend(delivery.number for delivery, _, _ in found)
    return taken


def half(url: str) -> None:
    """Write a job and an event, and never get to the commit."""
    db = open_database(url, wait_seconds=30)
    with db.writing() as connection:
        event = NewEvent(actor="ann", kind="Audit", reason="Half", message="", payload={})
        append(connection, find_job(connection, "shared"), [event], NOW)
        connection.exec_driver_sql("UPDATE jobs SET name = 'half'")
        wait()


TASKS: dict[str, Callable[..., Any]] = {
    "opened": opened,
    "create": create,
    "label": label,
    "lease": lease,
    "half": half,
}

if __name__ == "__main__":
    say(json.dumps(TASKS[sys.argv[1]](*sys.argv[2:])))
