"""`vppo schema`: what may be written in a job file."""

from enum import StrEnum
from typing import Annotated

import typer

from vppo_core.spec.schema import job_schema
from vppo_services.cli.output import print_document


class _Kind(StrEnum):
    JOB = "job"


class _Format(StrEnum):
    JSON = "json"
    YAML = "yaml"


def schema(
    kind: Annotated[_Kind, typer.Argument(help="What to describe.")],  # noqa: ARG001 - only one yet
    output: Annotated[_Format, typer.Option("--output", "-o", help="Format.")] = _Format.JSON,
) -> None:
    """Print the JSON schema of a job file: every field, bound, default and description."""
    print_document(job_schema(), output.value)
