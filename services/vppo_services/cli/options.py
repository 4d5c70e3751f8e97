"""Options that several commands share."""

from typing import Annotated

import typer

Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="Set a field of the spec, such as rollout.groupSize=16; may be repeated.",
    ),
]
