"""`vppo export`: a checkpoint as a folder that transformers and vLLM load."""

from typing import Annotated

import typer

from vppo_services.cli.launch import Launcher
from vppo_services.cli.sources import checkpoint_source

EXPORTER = "vppo_services.driver.export"


def export(
    context: typer.Context,
    source: Annotated[
        str,
        typer.Argument(
            metavar="RUN_OR_CHECKPOINT_OR_JOB",
            help="Folder of a run, a checkpoint, or the name of a job of the server.",
        ),
    ],
    destination: Annotated[str, typer.Argument(metavar="DEST", help="Folder to write.")],
) -> None:
    """Write a checkpoint as a Hugging Face folder."""
    launcher = context.find_object(Launcher) or Launcher()
    launcher.run(EXPORTER, [checkpoint_source(source), destination])
