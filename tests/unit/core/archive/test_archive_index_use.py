"""Lists stay fast because no query reads or sorts more than it shows."""

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from vppo_core.archive.cursor import cursor_after
from vppo_core.archive.database import Database, open_database
from vppo_core.archive.job_lists import active_jobs, count_by_phase, expirable_jobs, list_jobs
from vppo_core.archive.jobs import get_job
from vppo_core.archive.records import JobQuery
from vppo_core.archive.webhooks import delivery_backlog, due_deliveries
from vppo_core.errors import VPPOError
from vppo_core.spec.status import JobPhase

NOW = datetime(2026, 5, 1, tzinfo=UTC)
TWO = (JobPhase.FAILED, JobPhase.SUCCEEDED)


@pytest.fixture
def sqlite(folder: Path) -> Iterator[Database]:
    database = open_database(f"sqlite:///{folder / 'jobs.db'}")
    yield database
    database.close()


@pytest.fixture
def plans() -> Iterator[list[str]]:
    """How SQLite does what the test asks for."""
    found: list[str] = []

    def explain(_: Any, cursor: Any, statement: str, parameters: Any, *rest: Any) -> None:  # noqa: ARG001
        if statement.startswith("SELECT"):
            rows = cursor.connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            found.extend(row[3] for row in rows)

    event.listen(Engine, "before_cursor_execute", explain)
    yield found
    event.remove(Engine, "before_cursor_execute", explain)


@pytest.mark.parametrize(
    "filters",
    [
        pytest.param({}, id="all"),
        pytest.param({"phases": (JobPhase.FAILED,)}, id="phase"),
        pytest.param({"queue": "big"}, id="queue"),
        pytest.param({"owner": "ann"}, id="owner"),
        pytest.param({"labels": (("a", "b"),)}, id="label"),
        pytest.param({"labels": (("a", "b"), ("c", "d")), "owner": "ann"}, id="labels-and-owner"),
        pytest.param({"created_after": NOW}, id="after"),
        pytest.param({"owner": "ann", "phases": TWO}, id="owner-and-phases"),
    ],
)
@pytest.mark.parametrize("page", ["first", "later"])
def test_a_page_reads_an_index_in_its_order(
    sqlite: Database, plans: list[str], filters: dict[str, Any], page: str
) -> None:
    query = JobQuery(**filters)
    cursor = cursor_after((NOW, "uid"), query) if page == "later" else None
    list_jobs(sqlite, JobQuery(**filters, cursor=cursor))
    touched = [line for line in plans if re.search(r"\b(jobs|job_tags\w*)\b", line)]
    assert touched
    assert [line for line in touched if "INDEX" not in line and "PRIMARY KEY" not in line] == []
    assert [line for line in plans if "TEMP B-TREE" in line] == []
    if filters or cursor:
        assert [line for line in touched if line.startswith("SCAN")] == []


@pytest.mark.parametrize(
    ("ask", "indexes"),
    [
        pytest.param(active_jobs, ["jobs_live_name", "jobs_leaving"], id="active"),
        pytest.param(lambda db: expirable_jobs(db, NOW, 10), ["jobs_expiring"], id="expirable"),
        pytest.param(lambda db: due_deliveries(db, NOW, 10), ["outbox_due"], id="deliveries"),
        pytest.param(lambda db: get_job(db, "x"), ["jobs_by_name"], id="name"),
        pytest.param(lambda db: delivery_backlog(db, NOW), ["outbox_due"], id="backlog"),
    ],
)
def test_what_is_asked_for_every_second_reads_a_small_index(
    sqlite: Database, plans: list[str], ask: Any, indexes: list[str]
) -> None:
    with suppress(VPPOError):  # an unknown job; how it was looked for is what counts
        ask(sqlite)
    used = [match[1] for line in plans if (match := re.search(r"INDEX (\w+)", line))]
    assert used == indexes


def test_jobs_by_phase_are_counted_without_reading_a_job(
    sqlite: Database, plans: list[str]
) -> None:
    assert count_by_phase(sqlite, TWO) == dict.fromkeys(TWO, 0)
    assert plans
    assert all(line.startswith("SEARCH job_tags USING PRIMARY KEY (tag=?)") for line in plans)
