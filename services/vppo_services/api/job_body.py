"""Bodies that hold a job, a change of one, or what a clone has otherwise; as JSON or YAML."""

from collections.abc import Mapping, Sequence
from email.message import Message
from typing import Annotated, Any, Final

from fastapi import Depends, Request

from vppo_core.errors import InvalidSpecError
from vppo_core.spec.objects import as_submitted
from vppo_core.spec.parsing import Document, parse_value, read_document
from vppo_core.spec.wording import shown
from vppo_services.api.errors import ApiError

JSON: Final = "application/json"
MERGE_PATCH: Final = "application/merge-patch+json"
YAML: Final = ("application/yaml", "application/x-yaml", "text/yaml")
JOB_TYPES: Final = (JSON, *YAML)
PATCH_TYPES: Final = (MERGE_PATCH, JSON)
MAX_DEPTH: Final = 32
"""Levels of a body; a job has six."""


async def job_text(request: Request) -> str:
    """The text of a body with a job in it.

    Raises:
        ApiError: 415 or 422.
    """
    check_type(request, JOB_TYPES)
    return utf8(await request.body())


async def patch_text(request: Request) -> str:
    """The text of a body with a merge patch in it.

    Raises:
        ApiError: 415 or 422.
    """
    check_type(request, PATCH_TYPES)
    return utf8(await request.body())


async def optional_text(request: Request) -> str:
    """The text of a body that need not be there.

    Raises:
        ApiError: 415 or 422.
    """
    body = await request.body()
    if body:
        check_type(request, JOB_TYPES)
    return utf8(body)


JobText = Annotated[str, Depends(job_text)]
PatchText = Annotated[str, Depends(patch_text)]
OptionalText = Annotated[str, Depends(optional_text)]


def read_submitted(text: str) -> Document:
    """The job in a body, unchecked. What a server wrote into it is left out, so that what was got
    can be sent again.

    Raises:
        InvalidSpecError: it is not JSON or YAML, or no mapping.
    """
    return as_submitted(read_document(text))


def read_mapping(text: str) -> Document:
    """The mapping in a body that is no whole job.

    Raises:
        InvalidSpecError: it is not JSON or YAML, or something else than a mapping.
    """
    try:
        value = parse_value(text)
    except InvalidSpecError as error:
        raise InvalidSpecError(str(error).replace("a job file", "the body")) from None
    if not isinstance(value, dict):
        raise InvalidSpecError(
            f"the body must be a mapping, got {shown(value)}; write fields and their values"
        )
    if _is_deeper(value, MAX_DEPTH):
        raise InvalidSpecError(
            f"the body must not nest more than {MAX_DEPTH} levels deep; is it the right file?"
        )
    return value


def _is_deeper(value: Any, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    parts = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_is_deeper(part, levels - 1) for part in parts)


def merged(document: Mapping[str, Any], patch: Mapping[str, Any]) -> Document:
    """The document with a JSON merge patch (RFC 7396) applied: null takes a field away."""
    result = dict(document)
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, dict):
            old = result.get(name)
            result[name] = merged(old if isinstance(old, dict) else {}, value)
        else:
            result[name] = value
    return result


def check_type(request: Request, types: Sequence[str]) -> None:
    """Go on only if the body is of one of these media types.

    Raises:
        ApiError: 415.
    """
    given = request.headers.get("content-type", "")
    if given in types:
        return
    message = Message()
    message["content-type"] = given
    charset = message.get_param("charset", "utf-8")
    if not given or message.get_content_type() not in types or str(charset).lower() != "utf-8":
        raise ApiError(
            415,
            "unsupported_media_type",
            f"Content-Type must be {' or '.join(types)} in UTF-8, got {shown(given or None)}; "
            f"send the header `Content-Type: {types[0]}`",
            param="Content-Type",
            headers={"Accept-Patch" if MERGE_PATCH in types else "Accept-Post": ", ".join(types)},
        )


def utf8(body: bytes) -> str:
    """The text in these bytes.

    Raises:
        InvalidSpecError: they are something else.
    """
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidSpecError(
            f"the body must be UTF-8 text, got other bytes at offset {error.start}; "
            "is it the right file?"
        ) from None
