"""`vppo checkpoints`: what was saved of a job, and keeping one of them."""

from typing import TYPE_CHECKING, Annotated, Final

import typer

from vppo_services.cli.door import Door
from vppo_services.cli.options import JobName, TableFormat, TableOutput
from vppo_services.cli.output import print_ok
from vppo_services.cli.show import print_rows
from vppo_services.cli.views.tables import Cell, Column
from vppo_services.cli.views.times import age

if TYPE_CHECKING:
    from vppo_services.cli.client.shapes import Checkpoint

COLUMNS: Final = (
    Column("STEP", is_number=True),
    Column("REWARD", is_number=True),
    Column("ACCURACY", is_number=True),
    Column("DEPENDENCY", is_number=True),
    Column("HELD-OUT", is_number=True),
    Column("SIZE", is_number=True),
    Column("KEPT"),
    Column("ATTEMPT", is_number=True),
    Column("AGE", is_number=True),
    Column("URI", may_wrap=True),
)
METRICS: Final = ("reward_mean", "accuracy_mean", "token_dependency_mean", "evaluation_accuracy")


def checkpoints(
    door: Door,
    *,
    name: JobName,
    promote: Annotated[
        int | None,
        typer.Option("--promote", metavar="STEP", min=0, help="Keep this one for good."),
    ] = None,
    output: TableOutput = TableFormat.TABLE,
) -> None:
    """Show checkpoints with the numbers to choose by, or keep one for good."""
    with door.client() as client:
        if promote is not None:
            client.promote_checkpoint(name, promote)
            print_ok(f"step {promote} of {name} is kept for good")
            return
        found = client.checkpoints(name)
    print_rows(door, found, COLUMNS, [_row(door, one) for one in found], output)


def size(count: int) -> str:
    """Bytes with a binary unit."""
    number, units = float(count), iter(("B", "KiB", "MiB", "GiB", "TiB"))
    unit = next(units)
    for larger in units:
        if number < 1024.0:
            break
        number, unit = number / 1024.0, larger
    return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"


def _row(door: Door, one: "Checkpoint") -> list[Cell]:
    values = [one.metrics.get(metric) for metric in METRICS]
    return [
        str(one.step),
        *("" if value is None else f"{value:.3g}" for value in values),
        size(one.size_bytes),
        "yes" if one.is_promoted else "no",
        str(one.attempt),
        age(one.created, door.now()),
        one.uri,
    ]
