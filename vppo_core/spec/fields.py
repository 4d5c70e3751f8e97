"""The fields of a job by their path on the wire: what there is, and what comes near a typo."""

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, get_args, get_origin

from pydantic.fields import FieldInfo

from vppo_core.spec.base import SpecModel
from vppo_core.spec.job import VPPOJobSpec


@dataclass(frozen=True)
class Leaf:
    """A field that holds a value rather than a section."""

    path: tuple[str, ...]
    """Names on the wire, such as `("rollout", "groupSize")`."""

    name: str
    """Name in Python, such as `group_size`."""

    info: FieldInfo
    """Type, bounds, default and description."""


def wire_fields(section: type[SpecModel]) -> dict[str, FieldInfo]:
    """The fields of one section by their name on the wire, in the order they are written."""
    return {info.alias or name: info for name, info in section.model_fields.items()}


def section_of(info: FieldInfo) -> type[SpecModel] | None:
    """The section that a field holds, or None where it holds a value."""
    kind = info.annotation
    return kind if isinstance(kind, type) and issubclass(kind, SpecModel) else None


def choices_of(info: FieldInfo) -> tuple[str, ...]:
    """The values an enumerated field may take; empty for any other field."""
    kind = info.annotation
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return tuple(member.value for member in kind)
    return ()


def bounds_of(info: FieldInfo) -> list[Any]:
    """The bounds of a number, those of an optional field included."""
    inner = [
        bound
        for option in get_args(info.annotation)
        if get_origin(option) is Annotated
        for field in get_args(option)[1:]
        for bound in field.metadata
    ]
    return [*info.metadata, *inner]


def field_at(root: type[SpecModel], path: Iterable[str | int]) -> FieldInfo | None:
    """The field at a path of wire names below `root`, or None where there is none."""
    section: type[SpecModel] | None = root
    info: FieldInfo | None = None
    for name in path:
        info = wire_fields(section).get(str(name)) if section else None
        section = section_of(info) if info else None
    return info


def leaves(root: type[SpecModel] = VPPOJobSpec, above: tuple[str, ...] = ()) -> Iterator[Leaf]:
    """Every field below `root` that holds a value, depth first."""
    for name, info in root.model_fields.items():
        path = (*above, info.alias or name)
        section = section_of(info)
        if section is None:
            yield Leaf(path, name, info)
        else:
            yield from leaves(section, path)


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The name that a typo most likely meant; case, `_` and `-` do not count."""
    plain = {_squash(candidate): candidate for candidate in names}
    near = difflib.get_close_matches(_squash(name), plain, n=1, cutoff=0.6)
    return plain[near[0]] if near else None


def _squash(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")
