"""`vppo attempts`: every try at a job, and what it cost."""

from typing import TYPE_CHECKING, Final

from vppo_services.cli.door import Door
from vppo_services.cli.options import JobName, TableFormat, TableOutput
from vppo_services.cli.show import print_rows
from vppo_services.cli.views.tables import Cell, Column
from vppo_services.cli.views.times import age, span

if TYPE_CHECKING:
    from vppo_services.cli.client.shapes import Attempt

COLUMNS: Final = (
    Column("ATTEMPT", is_number=True),
    Column("OUTCOME"),
    Column("CLASS"),
    Column("STEPS"),
    Column("SAVED", is_number=True),
    Column("LOST", is_number=True),
    Column("CHARGED"),
    Column("TIME", is_number=True),
    Column("AGE", is_number=True),
    Column("MESSAGE", may_wrap=True),
)


def attempts(door: Door, *, name: JobName, output: TableOutput = TableFormat.TABLE) -> None:
    """Show every attempt: how it ended, what it saved and what was lost."""
    with door.client() as client:
        found = client.attempts(name)
    rows = [_row(door, attempt) for attempt in found]
    print_rows(door, found, COLUMNS, rows, output)


def _row(door: Door, attempt: "Attempt") -> list[Cell]:
    end = attempt.ended or door.now()
    return [
        str(attempt.index),
        attempt.outcome.value if attempt.outcome else "live",
        attempt.failure_class.value if attempt.failure_class else "",
        f"{attempt.first_step}-{attempt.last_step}",
        str(attempt.checkpoint_step),
        str(attempt.lost_steps),
        "yes" if attempt.charged else "no",
        span((end - attempt.created).total_seconds()),
        age(attempt.created, door.now()),
        attempt.message,
    ]
