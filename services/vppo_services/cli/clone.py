"""`vppo clone`: a new job from the spec of another one."""

from typing import Annotated

import typer

from vppo_core.spec.overrides import apply_overrides
from vppo_services.cli.door import Door
from vppo_services.cli.options import Format, JobName, NewName, Output, Set
from vppo_services.cli.output import print_ok
from vppo_services.cli.show import print_job
from vppo_services.cli.watching import follow


def clone(
    door: Door,
    *,
    name: JobName,
    set_: Set = None,
    new_name: NewName = "",
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Watch it until it ends.")] = False,
    output: Output = Format.TABLE,
) -> None:
    """Start a new job from the spec of another, with fields changed."""
    changes = apply_overrides({}, set_ or ())
    with door.client() as client:
        job = client.clone(name, new_name=new_name, changes=changes)
        if output is Format.TABLE:
            print_ok(f"{job.metadata.name} submitted, from {name}")
        else:
            print_job(door, job, output)
        if watch:
            follow(door, client, job.metadata.name)
