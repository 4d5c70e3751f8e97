"""Assignments of the command line, `rollout.groupSize=16`, written into a job file's mapping."""

import copy
import json
from collections.abc import Sequence
from typing import Any

from pydantic.fields import FieldInfo

from vppo_core.errors import InvalidSpecError
from vppo_core.spec.base import SpecModel
from vppo_core.spec.fields import leaves, nearest, section_of, wire_fields
from vppo_core.spec.job import VPPOJob, VPPOJobSpec
from vppo_core.spec.parsing import parse_value
from vppo_core.spec.wording import shown

_FROM_THE_TOP = ("spec", "metadata")


def apply_overrides(document: dict[str, Any], assignments: Sequence[str]) -> dict[str, Any]:
    """A copy of the mapping with each `path=value` written into it; later ones win.

    A path is relative to `spec`, in the names of the wire or of Python. A value is YAML; for a
    field of text it is taken as it stands. Values are checked later, with the rest of the job.

    Raises:
        InvalidSpecError: an assignment without `=`, or a path that names no field.
    """
    changed = copy.deepcopy(document)
    wrong = []
    for assignment in assignments:
        try:
            _assign(changed, assignment)
        except InvalidSpecError as error:
            wrong.append(str(error))
    if wrong:
        raise InvalidSpecError("\n".join(wrong))
    return changed


def _assign(document: dict[str, Any], assignment: str) -> None:
    written, equals, text = assignment.partition("=")
    if not equals:
        raise InvalidSpecError(
            f"--set must look like rollout.groupSize=16, got '{assignment}'; write PATH=VALUE"
        )
    path, info = _resolve(written.strip())
    place = document
    for name in path[:-1]:
        if place.get(name) is None:
            place[name] = {}
        place = place[name]
        if not isinstance(place, dict):
            return  # the file has no section here; the check of the whole job says so
    try:
        place[path[-1]] = _value(text, info)
    except InvalidSpecError:
        raise InvalidSpecError(
            f"--set {written} must be given one YAML value, got {shown(text)}; put text in quotes"
        ) from None


def _resolve(written: str) -> tuple[tuple[str, ...], FieldInfo]:
    names = written.split(".")
    from_the_top = names[0] in _FROM_THE_TOP and len(names) > 1
    section: type[SpecModel] | None = VPPOJob if from_the_top else VPPOJobSpec
    path: list[str] = [] if from_the_top else ["spec"]
    info: FieldInfo | None = None
    for name in names:
        if section is None:
            raise InvalidSpecError(_unknown(written))
        found = _field(section, name)
        if found is None:
            raise InvalidSpecError(_unknown(written))
        path.append(found[0])
        info = found[1]
        section = section_of(info)
    if section is not None or info is None:
        first = f"{written}.{next(iter(wire_fields(section)))}" if section else "model.source"
        raise InvalidSpecError(
            f"--set must name one field, got the section '{written}'; "
            f"name one of its fields, such as {first}"
        )
    return tuple(path), info


def _field(section: type[SpecModel], name: str) -> tuple[str, FieldInfo] | None:
    fields = wire_fields(section)
    if name in fields:
        return name, fields[name]
    info = section.model_fields.get(name)
    return (info.alias or name, info) if info else None


def _unknown(written: str) -> str:
    paths = [".".join(leaf.path) for leaf in leaves()]
    same_field = [path for path in paths if path.split(".")[-1] == written.split(".")[-1]]
    near = nearest(written, paths) or (same_field[0] if same_field else None)
    cure = f"did you mean '{near}'?" if near else "`vppo schema job` lists all fields"
    return f"--set must name a field of the spec, got '{written}'; {cure}"


def _value(text: str, info: FieldInfo) -> Any:
    if info.annotation is str:
        value = parse_value(text) if text[:1] in ("'", '"') else text
        return value if isinstance(value, str) else text
    value = parse_value(text)
    if isinstance(value, str) and info.annotation in (int, float):
        return _json_number(value)
    return value


def _json_number(text: str) -> Any:
    """1e-6 is a number to everyone but YAML 1.1; on a command line no other reader is misled."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
