"""Jobs and rows on the standard output, in the format that was asked for."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from vppo_core.spec.objects import JobObject
from vppo_services.cli.door import Door
from vppo_services.cli.options import Format, TableFormat
from vppo_services.cli.output import print_document, print_notes
from vppo_services.cli.views.jobs import NARROW, WIDE, job_rows
from vppo_services.cli.views.tables import Cell, Column, print_table


def print_job(door: Door, job: JobObject, output: Format) -> None:
    """One job: a table of one row, or its whole document."""
    if output in (Format.JSON, Format.YAML):
        print_document(plain(job), output.value)
    else:
        print_jobs(door, [job], output)


def print_jobs(door: Door, jobs: Sequence[JobObject], output: Format) -> None:
    """A row, a document or a name for each."""
    if output in (Format.JSON, Format.YAML):
        print_document({"items": [plain(job) for job in jobs]}, output.value)
    elif output is Format.NAME:
        for job in jobs:
            door.console.file.write(f"{job.metadata.name}\n")
    elif not jobs:
        print_notes(["no jobs; `vppo submit FILE` makes one"])
    else:
        is_wide = output is Format.WIDE
        rows = job_rows(jobs, door.now(), is_wide=is_wide)
        print_table(door.console, WIDE if is_wide else NARROW, rows)


def print_rows(
    door: Door,
    models: Sequence[BaseModel],
    columns: Sequence[Column],
    rows: Sequence[Sequence[Cell]],
    output: TableFormat,
) -> None:
    """A table of rows, or the models that they stand for."""
    if output is TableFormat.TABLE:
        print_table(door.console, columns, rows)
    else:
        print_document({"items": [plain(model) for model in models]}, output.value)


def plain(model: BaseModel) -> dict[str, Any]:
    """A model as plain values with the names of the wire."""
    return model.model_dump(mode="json", by_alias=True)
