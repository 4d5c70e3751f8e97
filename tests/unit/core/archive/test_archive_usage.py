from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from vppo_core.archive.database import Database
from vppo_core.archive.jobs import write_plan
from vppo_core.archive.records import UsageRow
from vppo_core.archive.usage import usage_between
from vppo_core.errors import InvalidSpecError
from vppo_core.lifecycle.ledger import UsageBucket
from vppo_core.spec.status import VPPOJobStatus

LATE = datetime(2026, 5, 1, 23, tzinfo=UTC)
SPAN = (LATE, LATE + timedelta(hours=2))


@pytest.fixture(autouse=True)
def used(db: Database, life: Any) -> None:
    """Two jobs of ann and one of bob, each in the hour before and the hour after midnight."""
    for name, owner, queue, seconds in (
        ("small", "ann", "day", 100.0),
        ("large", "ann", "night", 3600.0),
        ("other", "bob", "night", 200.0),
    ):
        job = life.job(name, scheduling={"queue": queue})
        write_plan(
            db,
            life.made(job, owner=owner).uid,
            status=VPPOJobStatus(),
            attempts=(),
            events=(),
            usage={
                attempt: [
                    UsageBucket(
                        hour=LATE + timedelta(hours=attempt - 1),
                        allocated=seconds,
                        productive=seconds / 2,
                        lost=seconds / 4,
                    )
                ]
                for attempt in (1, 2)
            },
            now=life.now,
        )


@pytest.mark.parametrize(
    ("group_by", "expected"),
    [
        pytest.param("job", [("large", 7200, 1), ("other", 400, 1), ("small", 200, 1)], id="job"),
        pytest.param("owner", [("ann", 7400, 2), ("bob", 400, 1)], id="owner"),
        pytest.param("queue", [("night", 7600, 2), ("day", 200, 1)], id="queue"),
        pytest.param("day", [("2026-05-01", 3900, 3), ("2026-05-02", 3900, 3)], id="day"),
    ],
)
def test_usage_is_summed_by_group(
    db: Database, group_by: str, expected: list[tuple[str, float, int]]
) -> None:
    assert usage_between(db, *SPAN, group_by) == [
        UsageRow(
            group=group,
            gpu_seconds_allocated=seconds,
            gpu_seconds_productive=seconds / 2,
            gpu_seconds_lost=seconds / 4,
            jobs=jobs,
        )
        for group, seconds, jobs in expected
    ]


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        pytest.param(timedelta(0), timedelta(hours=1), 1, id="first-hour"),
        pytest.param(timedelta(minutes=59), timedelta(hours=1), 1, id="end-of-the-first-hour"),
        pytest.param(timedelta(minutes=59), timedelta(minutes=61), 2, id="both-hours-touched"),
        pytest.param(timedelta(hours=2), timedelta(hours=9), 0, id="behind"),
        pytest.param(timedelta(hours=-9), timedelta(0), 0, id="before"),
    ],
)
def test_an_hour_counts_when_the_span_touches_it(
    db: Database, start: timedelta, end: timedelta, hours: int
) -> None:
    rows = usage_between(db, LATE + start, LATE + end, "owner")
    assert sum(row.gpu_seconds_allocated for row in rows) == hours * 3900


def test_an_unknown_group_is_refused(db: Database) -> None:
    with pytest.raises(InvalidSpecError, match="job, owner, queue, day, got 'planet'"):
        usage_between(db, *SPAN, "planet")
