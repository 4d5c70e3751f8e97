"""`vppo get`: jobs as a table, a document or names."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from vppo_core.errors import InvalidSpecError
from vppo_core.spec.objects import JobObject
from vppo_core.spec.status import JobPhase
from vppo_services.cli.completion import job_names
from vppo_services.cli.door import Door
from vppo_services.cli.options import Format, Output
from vppo_services.cli.output import print_notes
from vppo_services.cli.show import print_job, print_jobs

if TYPE_CHECKING:
    from vppo_services.cli.client import Client, JobFilter

PAGE = 100


def get(
    door: Door,
    *,
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="One job; without it, the newest.", autocompletion=job_names
        ),
    ] = "",
    phase: Annotated[
        list[JobPhase] | None,
        typer.Option(
            metavar="PHASE",
            case_sensitive=False,
            help=f"Only jobs in this phase; may be repeated. One of {', '.join(JobPhase)}.",
        ),
    ] = None,
    queue: Annotated[str, typer.Option(help="Only jobs of this queue.")] = "",
    labels: Annotated[
        list[str] | None,
        typer.Option("--label", "-l", metavar="KEY=VALUE", help="Only jobs with this label."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many jobs.")] = 20,
    all_: Annotated[bool, typer.Option("--all", "-A", help="All jobs.")] = False,
    output: Output = Format.TABLE,
) -> None:
    """Show jobs, newest first, or one of them."""
    with door.client() as client:
        if name:
            print_job(door, client.get(name), output)
            return
        from vppo_services.cli.client import JobFilter

        wanted = JobFilter(phases=tuple(phase or ()), queue=queue, labels=_labels(labels or ()))
        jobs, has_more = _read(client, wanted, None if all_ else limit)
    print_jobs(door, jobs, output)
    if has_more:
        print_notes([f"these are the newest {len(jobs)}; --all or a greater --limit shows more"])


def _read(client: "Client", wanted: "JobFilter", limit: int | None) -> tuple[list[JobObject], bool]:
    jobs: list[JobObject] = []
    cursor: str | None = None
    while True:
        size = PAGE if limit is None else min(PAGE, limit - len(jobs))
        page = client.jobs(wanted, limit=size, cursor=cursor)
        jobs += page.items
        cursor = page.next_cursor
        if cursor is None or (limit is not None and len(jobs) >= limit):
            return jobs, cursor is not None


def _labels(pairs: Sequence[str]) -> dict[str, str]:
    labels = {}
    for pair in (part for one in pairs for part in one.split(",")):
        key, equals, value = pair.partition("=")
        if not (key and equals):
            raise InvalidSpecError(
                f"--label must look like team=vision, got '{pair}'; write KEY=VALUE"
            )
        labels[key] = value
    return labels
