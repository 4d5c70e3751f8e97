"""`vppo presets`: jobs of the paper, ready to run."""

from typing import Annotated

import typer

from vppo_core.spec.presets import PRESETS, preset
from vppo_services.cli.output import print_document


def presets(
    name: Annotated[str, typer.Argument(help="Preset to print; without it, list them.")] = "",
) -> None:
    """List the presets, or print one as a whole job file."""
    if name:
        print_document(preset(name).document(), "yaml")
        return
    width = max(map(len, PRESETS))
    for one in PRESETS.values():
        typer.echo(f"{one.name:<{width}}  {one.summary}")
