"""`vppo eval`: how good is a checkpoint?"""

from pathlib import Path
from typing import Annotated

import typer

from vppo_services.cli.launch import Launcher
from vppo_services.cli.sources import checkpoint_source

EVALUATION = "vppo_services.evaluation"


def evaluate(
    context: typer.Context,
    source: Annotated[
        str,
        typer.Argument(
            metavar="RUN_OR_CHECKPOINT_OR_JOB",
            help="Folder of a run, a checkpoint, or the name of a job of the server.",
        ),
    ],
    *,
    data: Annotated[
        str, typer.Option(metavar="SOURCE", help="Questions; the job's held-out ones if not given.")
    ] = "",
    max_prompts: Annotated[
        int | None, typer.Option(min=1, help="At most so many questions.")
    ] = None,
    samples: Annotated[int | None, typer.Option(min=1, help="Answers to each question.")] = None,
    temperature: Annotated[
        float | None, typer.Option(min=0.0, help="Of sampling; 0 takes the likeliest token.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where the result is written, as JSON.")
    ] = None,
) -> None:
    """Ask a checkpoint held-out questions and print its accuracy."""
    given = {
        "--data": data or None,
        "--max-prompts": max_prompts,
        "--samples": samples,
        "--temperature": temperature,
        "--output": output,
    }
    arguments = [checkpoint_source(source)]
    for option, value in given.items():
        arguments += [option, str(value)] if value is not None else []
    launcher = context.find_object(Launcher) or Launcher()
    launcher.run(EVALUATION, arguments)
