"""A platform's file to a checked platform, or a sentence for each thing that is wrong with it."""

import json
from pathlib import Path
from typing import get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from vppo_core.errors import InvalidSpecError
from vppo_core.spec.base import SpecModel
from vppo_core.spec.fields import nearest, wire_fields
from vppo_core.spec.parsing import MAX_BYTES, parse_value
from vppo_core.spec.platform import PlatformSpec
from vppo_core.spec.wording import shown


def load_platform(path: Path) -> PlatformSpec:
    """The platform in a YAML or JSON file.

    Raises:
        InvalidSpecError: one line for each thing that is wrong; each names field, value and cure.
    """
    document = parse_platform(_text(path))
    if not isinstance(document, dict):
        raise InvalidSpecError(
            f"a platform file must hold pools, queues or priorities, got {shown(document)}; "
            "write `pools:` and list them below it"
        )
    try:
        # Through JSON, as a job is read: there 8 is a number, but "8" is none.
        return PlatformSpec.model_validate_json(
            json.dumps(document), strict=True, by_alias=True, by_name=False
        )
    except (TypeError, RecursionError) as error:
        raise InvalidSpecError(
            f"a platform file must hold text, numbers, lists and mappings ({error}); "
            "remove YAML tags such as !!binary"
        ) from None
    except ValidationError as error:
        lines = [line for details in error.errors(include_url=False) for line in _lines(details)]
        raise InvalidSpecError("\n".join(lines)) from None


def load_cluster_platform(path: Path) -> PlatformSpec:
    """The platform of a cluster: API and operator share its file.

    Raises:
        InvalidSpecError: one line for each thing that is wrong.
    """
    platform = load_platform(path)
    if platform.cluster is None:
        raise InvalidSpecError(
            f"the platform of a cluster must have `cluster`, got none in '{path}'; "
            "write at least cluster.image"
        )
    return platform


def parse_platform(text: str) -> object:
    """The value in a platform file's text.

    Raises:
        InvalidSpecError: it is neither YAML nor JSON.
    """
    try:
        return parse_value(text)
    except InvalidSpecError as error:
        raise InvalidSpecError(str(error).replace("a job file", "a platform file")) from None


def _text(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise InvalidSpecError(
                f"a platform file must have at most {MAX_BYTES} bytes, got more in '{path}'; "
                "is it the right file?"
            )
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidSpecError(
            f"a platform file must be UTF-8 text, got other bytes at offset {error.start} of "
            f"'{path}'; is it the right file?"
        ) from None
    except OSError as error:
        raise InvalidSpecError(
            f"a platform file must be readable, got '{path}' ({error.strerror}); check the path"
        ) from None


def _lines(details: ErrorDetails) -> list[str]:
    kind, loc = details["type"], details["loc"]
    if kind == "value_error":
        return str(details["ctx"]["error"]).split("\n")
    if kind == "too_short" and details["input"]:
        return []  # it counts only the entries that are right; the wrong ones have their lines
    where = _path(loc)
    if kind == "extra_forbidden":
        names = tuple(wire_fields(_section(loc[:-1])))
        near = nearest(str(loc[-1]), names)
        cure = f"did you mean '{near}'?" if near else f"use one of {', '.join(names)}"
        return [f"{where} is not a field of a platform, got {shown(details['input'])}; {cure}"]
    if kind == "missing":
        return [f"{where} must be set, got nothing; add it"]
    rule = details["msg"][:1].lower() + details["msg"][1:]
    return [f"{where} is wrong ({rule}), got {shown(details['input'])}; correct it"]


def _path(loc: tuple[str | int, ...]) -> str:
    """`pools[0].gpus`."""
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text or "the platform"


def _section(loc: tuple[str | int, ...]) -> type[SpecModel]:
    """The section that a path leads to, through lists and optional sections."""
    section: type[SpecModel] = PlatformSpec
    for part in loc:
        info = wire_fields(section).get(str(part))
        section = (info and _held(info.annotation)) or section
    return section


def _held(kind: object) -> type[SpecModel] | None:
    """The section that a type is, may be, or is a list of."""
    if isinstance(kind, type) and issubclass(kind, SpecModel):
        return kind
    return next((found for one in get_args(kind) if (found := _held(one))), None)
