"""`vppo export`: a checkpoint as a folder that transformers and vLLM load."""

from typing import Annotated

import typer

from vppo_services.cli.launch import Launcher

EXPORTER = "vppo_services.driver.export"


def export(
    context: typer.Context,
    source: Annotated[
        str, typer.Argument(metavar="RUN_OR_CHECKPOINT", help="Folder of a run, or a checkpoint.")
    ],
    destination: Annotated[str, typer.Argument(metavar="DEST", help="Folder to write.")],
) -> None:
    """Write a checkpoint as a Hugging Face folder."""
    launcher = context.find_object(Launcher) or Launcher()
    launcher.run(EXPORTER, [source, destination])
