"""Options and arguments that several commands share."""

from enum import StrEnum
from typing import Annotated

import typer

from vppo_services.cli.completion import job_names

Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="Set a field of the spec, such as rollout.groupSize=16; may be repeated.",
    ),
]


class Format(StrEnum):
    """How jobs are printed."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"


class TableFormat(StrEnum):
    """How rows are printed."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


class TreeFormat(StrEnum):
    """How a document without a table is printed."""

    TEXT = "text"
    JSON = "json"
    YAML = "yaml"


JobName = Annotated[
    str, typer.Argument(metavar="NAME", help="Name of the job.", autocompletion=job_names)
]
JobNames = Annotated[
    list[str],
    typer.Argument(metavar="NAME...", help="Names of the jobs.", autocompletion=job_names),
]
JobFile = Annotated[
    str, typer.Argument(metavar="FILE", help="Job file, YAML or JSON; - reads standard input.")
]
NewName = Annotated[
    str, typer.Option("--name", metavar="NAME", help="Name of the new job, in place of the file's.")
]
Output = Annotated[Format, typer.Option("--output", "-o", help="What is printed.")]
TableOutput = Annotated[TableFormat, typer.Option("--output", "-o", help="What is printed.")]
TreeOutput = Annotated[TreeFormat, typer.Option("--output", "-o", help="What is printed.")]
Wait = Annotated[bool, typer.Option("--wait", "-w", help="Wait until it is so.")]
