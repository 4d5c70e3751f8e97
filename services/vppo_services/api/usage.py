"""What jobs have cost: GPU-seconds held, spent well, and lost."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query

from vppo_core.archive.records import UsageRow
from vppo_core.spec.base import SpecModel
from vppo_services.api.deps import StoreDep, allowed
from vppo_services.api.errors import ApiError

router = APIRouter(tags=["usage"])

LONGEST: Final = timedelta(days=366)
_DEFAULT: Final = timedelta(days=30)
_DATE_LENGTH: Final = len("2026-11-01")
_FIRST_YEAR: Final = 1971
_FORM: Final = (
    "RFC 3339 time, such as `2026-11-01T00:00:00Z`, or a date, which means its midnight UTC"
)


class GroupBy(StrEnum):
    """What a row of the answer stands for."""

    JOB = "job"
    OWNER = "owner"
    QUEUE = "queue"
    DAY = "day"


class UsageItem(SpecModel):
    """GPU-seconds of one group. Without GPUs the whole machine counts as one."""

    group: str
    """Name of the job, owner or queue, or the day."""

    gpu_seconds_allocated: float
    """GPUs held, times how long."""

    gpu_seconds_productive: float
    """Of these, spent on steps that are part of a result."""

    gpu_seconds_lost: float
    """Of these, spent on steps that had to be done again."""

    jobs: int
    """How many jobs are in the group."""


class UsagePage(SpecModel):
    """All groups that used something."""

    items: tuple[UsageItem, ...]
    next_cursor: None = None
    """Always null: there is one page."""


@router.get(
    "/usage",
    dependencies=[Depends(allowed("list", "vppojobs"))],
    summary="GPU-seconds by job, owner, queue or day",
)
def get_usage(
    store: StoreDep,
    start: Annotated[
        str, Query(alias="from", max_length=40, description=f"{_FORM}; 30 days before `to`.")
    ] = "",
    end: Annotated[
        str, Query(alias="to", max_length=40, description=f"{_FORM}; not included; now.")
    ] = "",
    group_by: Annotated[
        GroupBy, Query(alias="groupBy", description="What a row is.")
    ] = GroupBy.JOB,
) -> UsagePage:
    """Usage of at most a year, counted in hours of UTC."""
    until = moment(end, param="to") if end else datetime.now(UTC)
    since = moment(start, param="from") if start else until - _DEFAULT
    _check_span(since, until)
    rows = store.usage(start=since, end=until, group_by=group_by.value)
    return UsagePage(items=tuple(_item(row) for row in rows))


def moment(text: str, *, param: str) -> datetime:
    """A time in UTC.

    Raises:
        ApiError: 422, neither a date nor an RFC 3339 time with its zone.
    """
    try:
        parsed = datetime.fromisoformat(text)
        if len(text) == _DATE_LENGTH:
            parsed = parsed.replace(tzinfo=UTC)
        if parsed.tzinfo is None:
            raise ValueError("no time zone")
        if parsed.year < _FIRST_YEAR:
            raise ValueError("nothing ran then, and a month before it there may be no date")
        return parsed.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise _refuse(
            param,
            f"{param} must be an RFC 3339 time or a date after 1970, got {text!r}; "
            "write 2026-11-01T00:00:00Z or 2026-11-01, and + as %2B",
        ) from error


def _check_span(since: datetime, until: datetime) -> None:
    if since >= until:
        raise _refuse(
            "from",
            f"from must be before to, got {since.isoformat()} and {until.isoformat()}; swap them",
        )
    if until - since > LONGEST:
        raise _refuse(
            "from",
            f"from must be at most {LONGEST.days} days before to, got {(until - since).days}; "
            "ask for one year at a time",
        )


def _refuse(param: str, detail: str) -> ApiError:
    return ApiError(422, "invalid_request", detail, param=param)


def _item(row: UsageRow) -> UsageItem:
    return UsageItem(
        group=row.group,
        gpu_seconds_allocated=row.gpu_seconds_allocated,
        gpu_seconds_productive=row.gpu_seconds_productive,
        gpu_seconds_lost=row.gpu_seconds_lost,
        jobs=row.jobs,
    )
