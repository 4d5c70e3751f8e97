"""`vppo validate`: is the file a job?"""

from pathlib import Path
from typing import Annotated

import typer

from vppo_core.errors import InvalidSpecError
from vppo_core.spec.loading import load_job
from vppo_services.cli.files import read_text
from vppo_services.cli.options import Set
from vppo_services.cli.output import print_ok, print_problems


def validate(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Job files to check.")],
    set_: Set = None,
) -> None:
    """Check job files; one sentence for each problem, exit code 2 if there is any."""
    broken = False
    for file in files:
        try:
            load_job(read_text(file), set_ or ())
        except InvalidSpecError as error:
            broken = True
            print_problems(str(error).splitlines(), source=str(file))
        else:
            print_ok(str(file))
    if broken:
        raise typer.Exit(InvalidSpecError.exit_code)
