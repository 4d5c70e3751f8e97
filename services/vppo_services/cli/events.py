"""`vppo events`: what happened to a job, and who did it."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from vppo_services.cli.door import Door
from vppo_services.cli.options import JobName
from vppo_services.cli.watching import tell_of_outages, until_interrupted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vppo_services.cli.client import Client
    from vppo_services.cli.client.shapes import Event


def events(
    door: Door,
    *,
    name: JobName,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with new events until the job ends.")
    ] = False,
) -> None:
    """Show a job's history: decisions, requests and who made them."""
    with door.client() as client, until_interrupted(name):
        tell_of_outages(client)
        for event in _followed(client, name) if follow else _pages(client, name):
            _print(door, event)


def _followed(client: "Client", name: str) -> "Iterator[Event]":
    from vppo_services.cli.client.shapes import Event

    for change in client.watch(name):
        if isinstance(change, Event):
            yield change


def _pages(client: "Client", name: str) -> "Iterator[Event]":
    before, page = "", client.events(name)
    yield from page.items
    while page.next_after != before:
        before, page = page.next_after, client.events(name, after=page.next_after)
        yield from page.items


def _print(door: Door, event: "Event") -> None:
    from vppo_services.cli.views.times import stamp

    message = " ".join(event.message.split())
    parts = (stamp(event.time), event.kind, event.reason, event.actor, message)
    if not door.console.is_terminal:
        door.console.file.write("\t".join(parts) + "\n")
        door.console.file.flush()
        return
    style = "yellow" if event.kind == "Warning" else ""
    text = Text.assemble(
        (f"{parts[0]}  ", "dim"), (f"{event.reason}  ", f"bold {style}".strip()), message
    )
    text.append(f"  by {event.actor}" if event.actor not in ("", "vppo") else "", "dim")
    door.console.print(text, soft_wrap=True)
