"""`vppo watch`: a job as it runs."""

from vppo_services.cli.door import Door
from vppo_services.cli.options import JobName
from vppo_services.cli.watching import follow


def watch(door: Door, *, name: JobName) -> None:
    """Follow a job to its end: progress, stages, reward, events. Ctrl-C leaves it running.

    Ends with 0 for a job that succeeded, 1 failed, 3 cancelled. On a pipe, a line for each change.
    """
    with door.client() as client:
        follow(door, client, name)
