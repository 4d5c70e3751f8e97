"""The filters of a list of jobs, from a query string."""

import re
from typing import Annotated, Final

from fastapi import Depends, Query, Request

from vppo_core.archive.records import JobQuery
from vppo_core.spec.status import JobPhase
from vppo_services.api.errors import ApiError
from vppo_services.api.usage import moment

_PRINTABLE: Final = r"^[^\x00-\x1f\x7f]*$"
_METADATA: Final = re.compile(r"^metadata\[(.+)\]$", re.DOTALL)
MAX_PAIRS: Final = 64

Text = Annotated[str | None, Query(max_length=253, pattern=_PRINTABLE)]


async def job_query(  # noqa: PLR0913 - one argument for each parameter of the query string
    request: Request,
    *,
    limit: Annotated[int, Query(ge=1, le=100, description="Most jobs of a page.")] = 20,
    cursor: Annotated[
        str | None,
        Query(max_length=1024, pattern="^[!-~]+$", description="`nextCursor` of the page before."),
    ] = None,
    phase: Annotated[
        tuple[JobPhase, ...], Query(max_length=16, description="Any of these phases.")
    ] = (),
    queue: Annotated[Text, Query(description="Queue that the job waits or waited in.")] = None,
    owner: Annotated[Text, Query(description="Who created it.")] = None,
    label_selector: Annotated[
        str,
        Query(
            alias="labelSelector",
            max_length=4096,
            pattern=_PRINTABLE,
            description="All of these labels: `team=vision,stage=dev`.",
        ),
    ] = "",
    created_after: Annotated[
        str | None,
        Query(alias="createdAfter", max_length=40, description="Not older than this: RFC 3339."),
    ] = None,
    name: Annotated[Text, Query(description="Part of its name.")] = None,
) -> JobQuery:
    """The query that a list is asked for with.

    Raises:
        ApiError: 422.
    """
    return JobQuery(
        limit=limit,
        cursor=cursor,
        phases=tuple(dict.fromkeys(phase)),
        queue=queue,
        owner=owner,
        labels=_labels(label_selector),
        annotations=_annotations(request),
        created_after=moment(created_after, param="createdAfter") if created_after else None,
        name_contains=name,
    )


JobQueryDep = Annotated[JobQuery, Depends(job_query)]

METADATA_PARAMETER: Final = {
    "name": "metadata",
    "in": "query",
    "style": "deepObject",
    "explode": True,
    "required": False,
    "description": "All of these annotations: `metadata[team]=vision`.",
    "schema": {"type": "object", "additionalProperties": {"type": "string"}},
}
"""The one parameter whose name is not fixed, for OpenAPI."""


def _labels(selector: str) -> tuple[tuple[str, str], ...]:
    pairs = []
    for part in selector.split(",") if selector.strip() else ():
        name, equals, value = part.partition("=")
        if not equals or not name.strip():
            raise ApiError(
                422,
                "invalid_request",
                f"labelSelector must be pairs such as team=vision,stage=dev, got {part[:64]!r}; "
                "write NAME=VALUE, with commas between",
                param="labelSelector",
            )
        pairs.append((name.strip(), value.removeprefix("=").strip()))
    return _few("labelSelector", pairs)


def _annotations(request: Request) -> tuple[tuple[str, str], ...]:
    found = [
        (match[1], value)
        for name, value in request.query_params.multi_items()
        if (match := _METADATA.match(name))
    ]
    return _few("metadata", found)


def _few(param: str, pairs: list[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    if len(pairs) > MAX_PAIRS:
        raise ApiError(
            422,
            "invalid_request",
            f"{param} must have at most {MAX_PAIRS} pairs, got {len(pairs)}; leave some out",
            param=param,
        )
    return tuple(pairs)
