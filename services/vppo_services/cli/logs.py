"""`vppo logs`: what a job's processes wrote."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from vppo_services.cli.door import Door
from vppo_services.cli.options import JobName
from vppo_services.cli.watching import tell_of_outages, until_interrupted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vppo_services.cli.client import Client, LogFilter, StreamReset
    from vppo_services.cli.client.shapes import LogLine

STYLES = {"warning": "yellow", "error": "red", "critical": "bold red", "debug": "dim"}


class Level(StrEnum):
    """How serious a line is."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


def logs(
    door: Door,
    *,
    name: JobName,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with new lines until the job ends.")
    ] = False,
    level: Annotated[
        Level | None,
        typer.Option(help="This level and more serious ones.", case_sensitive=False),
    ] = None,
    attempt: Annotated[int | None, typer.Option(min=1, help="Only this attempt.")] = None,
    tail: Annotated[
        int | None, typer.Option("--tail", min=1, max=1000, help="Only the last N lines.")
    ] = None,
) -> None:
    """Show a job's log."""
    from vppo_services.cli.client import LogFilter

    wanted = LogFilter(level=level.value if level else "", attempt=attempt)
    with door.client() as client, until_interrupted(name):
        tell_of_outages(client)
        lines = (
            client.stream_logs(name, wanted=wanted, tail=tail)
            if follow
            else _pages(client, name, wanted, tail)
        )
        for line in lines:
            _print(door, line)


def _pages(
    client: "Client", name: str, wanted: "LogFilter", tail: int | None
) -> "Iterator[LogLine]":
    before, page = "", client.logs(name, wanted=wanted, tail=tail)
    yield from page.items
    # A page may be empty because none of its lines was wanted: only a position that stays ends it.
    while tail is None and page.next_after != before:
        before, page = page.next_after, client.logs(name, after=page.next_after, wanted=wanted)
        yield from page.items


def _print(door: Door, line: "LogLine | StreamReset") -> None:
    from vppo_services.cli.client import StreamReset

    if isinstance(line, StreamReset):
        return
    level = line.level.lower()
    step = "" if line.step is None else f" s{line.step}"
    lead = f"{line.time}  {level:<8}  {line.role} a{line.attempt}{step}  "
    if door.console.is_terminal:
        text = Text.assemble((lead, "dim"), (line.message, STYLES.get(level, "")))
        door.console.print(text, soft_wrap=True)
    else:
        door.console.file.write(f"{lead}{line.message}\n")
        door.console.file.flush()
