"""What this machine offers to jobs, from a file or by itself; and whether it may run them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from vppo_core.errors import InvalidSpecError
from vppo_core.spec.base import SpecModel
from vppo_core.spec.fields import nearest, wire_fields
from vppo_core.spec.parsing import MAX_BYTES, parse_value
from vppo_core.spec.platform import PlatformSpec, PoolOffer, PriorityOffer, QueueOffer
from vppo_core.spec.wording import shown

CLUSTER_VARIABLE: Final = "KUBERNETES_SERVICE_HOST"
VISIBLE_VARIABLE: Final = "CUDA_VISIBLE_DEVICES"

_SECTIONS: Final[dict[str, type[SpecModel]]] = {
    "pools": PoolOffer,
    "queues": QueueOffer,
    "priorities": PriorityOffer,
}


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


def machine_platform(environ: Mapping[str, str], *, devices: Path = Path("/dev")) -> PlatformSpec:
    """The platform of a machine that nobody described: one pool with the GPUs that are visible."""
    present = sum(1 for path in devices.glob("nvidia[0-9]*") if path.name[6:].isdigit())
    visible = environ.get(VISIBLE_VARIABLE)
    if visible is not None:
        present = min(present, len([one for one in visible.split(",") if one.strip()]))
    return PlatformSpec(pools=(PoolOffer(name="local", gpus=present),))


def parse_platform(text: str) -> object:
    """The value in a platform file's text.

    Raises:
        InvalidSpecError: it is neither YAML nor JSON.
    """
    try:
        return parse_value(text)
    except InvalidSpecError as error:
        raise InvalidSpecError(str(error).replace("a job file", "a platform file")) from None


def refuse_inside_a_cluster(environ: Mapping[str, str], force: bool) -> None:
    """One namespace has one engine: in a cluster the operator runs jobs, not this program.

    Raises:
        InvalidSpecError: this is a pod of a cluster, and nobody insists.
    """
    host = environ.get(CLUSTER_VARIABLE, "")
    if host and not force:
        raise InvalidSpecError(
            f"jobs must not be started as local processes inside a cluster, got {CLUSTER_VARIABLE} "
            f"'{host}'; let the operator run them, or add --force"
        )


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
        section = _SECTIONS.get(str(loc[0])) if len(loc) > 1 else PlatformSpec
        names = tuple(wire_fields(section)) if section else ()
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
