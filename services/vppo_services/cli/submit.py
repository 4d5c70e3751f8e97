"""`vppo submit`: a job file to the server."""

from typing import Annotated

import typer

from vppo_services.cli.door import Door
from vppo_services.cli.files import read_submission
from vppo_services.cli.options import Format, JobFile, NewName, Output, Set
from vppo_services.cli.output import print_notes, print_ok
from vppo_services.cli.show import print_job
from vppo_services.cli.watching import follow

_STOPPED = ("Paused", "Cancelled")


def submit(
    door: Door,
    *,
    file: JobFile,
    set_: Set = None,
    name: NewName = "",
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Watch it until it ends.")] = False,
    idempotency_key: Annotated[
        str,
        typer.Option(metavar="KEY", help="The same key and job again make no second job."),
    ] = "",
    output: Output = Format.TABLE,
) -> None:
    """Send a job to the server, which runs it when its turn comes."""
    document = read_submission(file, set_ or (), name=name)
    with door.client() as client:
        created = client.create(document, idempotency_key=idempotency_key)
        job = created.job
        if job.spec.desired_state.value in _STOPPED:
            wanted = job.spec.desired_state.value
            print_notes([f"the file asks for desiredState {wanted}, so the job does not run"])
        if output is not Format.TABLE:
            print_job(door, job, output)
        else:
            word = "was submitted before" if created.is_replay else "submitted"
            hint = "" if watch else f"; `vppo watch {job.metadata.name}` follows it"
            print_ok(f"{job.metadata.name} {word}{hint}")
        if watch:
            follow(door, client, job.metadata.name)
