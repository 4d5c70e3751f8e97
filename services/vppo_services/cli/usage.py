"""`vppo usage` and `vppo queues`: what was used, and what is free."""

from enum import StrEnum
from typing import Annotated, Final

import typer

from vppo_services.cli.door import Door
from vppo_services.cli.options import TableFormat, TableOutput
from vppo_services.cli.show import print_rows
from vppo_services.cli.views.tables import Column
from vppo_services.cli.views.times import HOUR, moment

USAGE: Final = (
    Column("GROUP"),
    Column("GPU-HOURS", is_number=True),
    Column("PRODUCTIVE", is_number=True),
    Column("LOST", is_number=True),
    Column("SHARE", is_number=True),
    Column("JOBS", is_number=True),
)
QUEUES: Final = (
    Column("QUEUE"),
    Column("POOL"),
    Column("RUNNING", is_number=True),
    Column("WAITING", is_number=True),
)


class Grouping(StrEnum):
    """What usage is added up by."""

    JOB = "job"
    OWNER = "owner"
    QUEUE = "queue"
    DAY = "day"


def usage(
    door: Door,
    *,
    by: Annotated[Grouping, typer.Option("--by", help="What it is added up by.")] = Grouping.JOB,
    start: Annotated[
        str, typer.Option("--from", metavar="TIME", help="A date, a time, or a span such as 7d.")
    ] = "30d",
    end: Annotated[
        str, typer.Option("--to", metavar="TIME", help="The same; without it, now.")
    ] = "",
    output: TableOutput = TableFormat.TABLE,
) -> None:
    """Show GPU-hours held, spent on steps that count, and lost. A machine without GPUs is one."""
    now = door.now()
    first = moment(start, now, option="--from")
    last = moment(end, now, option="--to") if end else now
    with door.client() as client:
        found = client.usage(start=first, end=last, group_by=by.value)
    rows = [
        [
            row.group,
            f"{row.gpu_seconds_allocated / HOUR:.2f}",
            f"{row.gpu_seconds_productive / HOUR:.2f}",
            f"{row.gpu_seconds_lost / HOUR:.2f}",
            _share(row.gpu_seconds_productive, row.gpu_seconds_allocated),
            str(row.jobs),
        ]
        for row in found
    ]
    print_rows(door, found, USAGE, rows, output)


def queues(door: Door, *, output: TableOutput = TableFormat.TABLE) -> None:
    """Show queues, the pools they feed, and how full they are."""
    with door.client() as client:
        found = client.queues()
    rows = [[one.name, one.pool, str(one.running), str(one.waiting)] for one in found]
    print_rows(door, found, QUEUES, rows, output)


def _share(part: float, whole: float) -> str:
    return f"{100.0 * part / whole:.0f} %" if whole > 0.0 else ""
