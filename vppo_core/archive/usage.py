"""GPU-seconds by hour: what each attempt held, and what came of it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import BigInteger, ColumnElement, Connection, func, select, type_coerce

from vppo_core.archive.columns import EPOCH, MICROSECOND
from vppo_core.archive.records import UsageRow
from vppo_core.archive.tables import jobs, usage
from vppo_core.archive.transactions import Database
from vppo_core.archive.upsert import upsert
from vppo_core.errors import InvalidSpecError
from vppo_core.lifecycle.ledger import UsageBucket

_DAY: Final = 86_400_000_000
_HOURS: Final = type_coerce(usage.c.hour, BigInteger)
_GROUPS: Final[dict[str, ColumnElement[Any]]] = {
    "job": jobs.c.name,
    "owner": jobs.c.owner,
    "queue": jobs.c.queue,
    "day": _HOURS - _HOURS % _DAY,
}


def usage_between(
    db: Database, start: datetime, end: datetime, group_by: str, *, namespace: str | None = None
) -> list[UsageRow]:
    """GPU-seconds of the hours that begin before `end` and end after `start`.

    Args:
        group_by: `job`, `owner` and `queue` give the biggest group first, `day` the oldest day.
        namespace: counts jobs of this one alone; None counts all.

    Raises:
        InvalidSpecError: no such grouping.
    """
    if group_by not in _GROUPS:
        raise InvalidSpecError(
            f"groupBy must be one of {', '.join(_GROUPS)}, got '{group_by}'; choose one of these"
        )
    group = _GROUPS[group_by]
    first_hour = start.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    allocated = func.sum(usage.c.allocated)
    query = (
        select(
            group.label("group_name"),
            allocated.label("allocated"),
            func.sum(usage.c.productive).label("productive"),
            func.sum(usage.c.lost).label("lost"),
            func.count(usage.c.job_uid.distinct()).label("jobs"),
        )
        .join(jobs, jobs.c.uid == usage.c.job_uid)
        .where(usage.c.hour >= first_hour, usage.c.hour < end)
        .group_by(group)
        .order_by(*([group] if group_by == "day" else [allocated.desc(), group]))
    )
    if namespace is not None:
        query = query.where(jobs.c.namespace == namespace)
    with db.reading() as connection:
        rows = connection.execute(query).all()
    return [
        UsageRow(
            group=_day(row.group_name) if group_by == "day" else row.group_name,
            gpu_seconds_allocated=row.allocated,
            gpu_seconds_productive=row.productive,
            gpu_seconds_lost=row.lost,
            jobs=row.jobs,
        )
        for row in rows
    ]


def write_usage(
    connection: Connection, uid: str, hours: Mapping[int, Sequence[UsageBucket]]
) -> None:
    """Set these hours of these attempts; others stay."""
    rows = [
        {
            "job_uid": uid,
            "attempt": attempt,
            "hour": bucket.hour,
            "allocated": bucket.allocated,
            "productive": bucket.productive,
            "lost": bucket.lost,
        }
        for attempt, buckets in hours.items()
        for bucket in buckets
    ]
    upsert(connection, usage, rows)


def _day(microseconds: int) -> str:
    return (EPOCH + microseconds * MICROSECOND).date().isoformat()
