"""`vppo train`: one job, on this machine."""

import re
from pathlib import Path
from typing import Annotated

import typer

from vppo_core.spec.job import ObjectMeta, VPPOJob
from vppo_core.spec.loading import load_job
from vppo_services.cli.files import read_text
from vppo_services.cli.launch import Launcher
from vppo_services.cli.options import Set
from vppo_services.cli.runs import prepare

DRIVER = "vppo_services.driver"


def train(
    context: typer.Context,
    spec: Annotated[Path, typer.Argument(metavar="SPEC", help="Job file, YAML or JSON.")],
    set_: Set = None,
    output: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of the run; default runs/NAME.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the last checkpoint in the folder.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bars.")] = False,
) -> None:
    """Train a job to its end on this machine, or go on with it."""
    job = _named(load_job(read_text(spec), set_ or ()), spec)
    folder = output or Path("runs") / job.metadata.name
    path = prepare(folder, job, resume=resume)
    arguments = ["--job", str(path), "--output", str(folder)]
    arguments += ["--resume"] if resume else []
    arguments += ["--quiet"] if quiet else []
    launcher = context.find_object(Launcher) or Launcher()
    launcher.run(DRIVER, arguments)


def _named(job: VPPOJob, spec: Path) -> VPPOJob:
    """The job, named after its file if it has no name."""
    if job.metadata.name:
        return job
    stem = re.sub(r"[^a-z0-9]+", "-", spec.stem.lower()).lstrip("-0123456789")
    meta = ObjectMeta(
        name=stem[:40].strip("-") or "job",
        labels=job.metadata.labels,
        annotations=job.metadata.annotations,
    )
    return job.model_copy(update={"metadata": meta})
