"""`vppo schema`: what may be written in a job, a platform file, a request; and the CRD of jobs."""

from enum import StrEnum
from typing import Annotated

import typer

from vppo_core.spec.crd import vppojob_crd
from vppo_core.spec.platform import PlatformSpec
from vppo_core.spec.schema import DIALECT, job_schema
from vppo_services.cli.door import Door
from vppo_services.cli.output import print_document


class _Kind(StrEnum):
    JOB = "job"
    PLATFORM = "platform"
    CRD = "crd"
    OPENAPI = "openapi"


class _Format(StrEnum):
    JSON = "json"
    YAML = "yaml"


def schema(
    door: Door,
    *,
    kind: Annotated[
        _Kind, typer.Argument(help="What to describe; openapi is asked of the server.")
    ],
    output: Annotated[_Format, typer.Option("--output", "-o", help="Format.")] = _Format.JSON,
) -> None:
    """Print a schema: every field, bound, default and description."""
    if kind is _Kind.JOB:
        document = job_schema()
    elif kind is _Kind.PLATFORM:
        document = {"$schema": DIALECT, **PlatformSpec.model_json_schema(by_alias=True)}
    elif kind is _Kind.CRD:
        document = vppojob_crd()
    else:
        with door.client() as client:
            document = client.schema(kind.value)
    print_document(document, output.value)
