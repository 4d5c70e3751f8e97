"""Names that the shell offers after the TAB key."""

from pathlib import Path

import typer

from vppo_core.errors import VPPOError
from vppo_services.cli.door import Door, door_of

TIMEOUT_SECONDS = 1.0
MAX_NAMES = 100


def job_names(context: typer.Context, incomplete: str) -> list[str]:
    """Names of the newest jobs that start like this; none when the server is not quick to answer.

    A shell that waits, or an error in the middle of a command line, is worse than no help.
    """
    token_file = context.params.get("token_file")
    door = door_of(
        context,
        context.params.get("server") or "",
        Path(token_file) if token_file else None,
        context.params.get("namespace") or "",
    )
    try:
        return _names(door, incomplete)
    except VPPOError:
        return []


def _names(door: Door, incomplete: str) -> list[str]:
    from vppo_services.cli.client import JobFilter

    with door.client(timeout_seconds=TIMEOUT_SECONDS, tries=1) as client:
        page = client.jobs(JobFilter(name_contains=incomplete), limit=MAX_NAMES)
    names = [job.metadata.name for job in page.items]
    return [name for name in dict.fromkeys(names) if name.startswith(incomplete)]
