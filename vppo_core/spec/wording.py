"""What went wrong with a job, in one sentence each: path on the wire, rule, value, cure."""

import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from annotated_types import Ge, Gt, Le, Lt
from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from vppo_core.spec.base import SpecModel
from vppo_core.spec.fields import (
    bounds_of,
    choices_of,
    field_at,
    leaves,
    nearest,
    section_of,
    wire_fields,
)
from vppo_core.spec.job import VPPOJob

MAX_SHOWN = 60
MAX_LISTED = 12


def sentences(error: ValidationError) -> list[str]:
    """One sentence for each broken rule, in the order of the fields."""
    return [line for details in error.errors(include_url=False) for line in _lines(details)]


def shown(value: object) -> str:
    """A value as a user wrote it, in at most about 60 characters."""
    match value:
        case None | bool():
            text = {None: "nothing", True: "true", False: "false"}[value]
        case float():
            text = _plain(value)
        case str():
            plain = str(value)  # an enum member is its value
            text = repr(plain if len(plain) <= MAX_SHOWN else plain[: MAX_SHOWN - 3] + "...")
        case dict():
            text = "a mapping"
        case list():
            text = "a list"
        case _:
            text = str(value)[:MAX_SHOWN]
    return text


def wire_path(loc: tuple[str | int, ...]) -> str:
    """A location as users write it: relative to `spec`, as `--set` takes it."""
    names = [str(name) for name in loc if name != "[key]"]
    return ".".join(names[1:] if names[:1] == ["spec"] and len(names) > 1 else names)


def _lines(details: ErrorDetails) -> list[str]:
    kind, loc, value = details["type"], details["loc"], details["input"]
    if kind == "value_error":
        return str(details["ctx"]["error"]).split("\n")
    path = wire_path(loc)
    if kind == "extra_forbidden":
        return [f"{path} is not a field of a job, got {shown(value)}; {_other_field(loc)}"]
    info = field_at(VPPOJob, loc)
    if kind == "missing":
        return [f"{path} must be set, got nothing; add it: {_described(info)}"]
    rule, cure = _rule_and_cure(details, info)
    return [f"{path or 'the job'} {rule}, got {shown(value)}; {cure}"]


def _rule_and_cure(details: ErrorDetails, info: FieldInfo | None) -> tuple[str, str]:
    kind = details["type"]
    if kind.startswith(("greater_than", "less_than")) and info is not None:
        verb = "raise" if kind.startswith("greater") else "lower"
        return _range(info), f"{verb} it{_default(info)}"
    word = _WORDS.get(kind)
    if word is not None:
        return word(details, info)
    return f"is not accepted ({details['msg']})", "see `vppo schema job`"


def _number(details: ErrorDetails, info: FieldInfo | None) -> tuple[str, str]:
    whole = details["type"].startswith("int")
    rule = "must be a whole number" if whole else "must be a number"
    value = details["input"]
    if whole and isinstance(value, float) and value.is_integer():
        return rule, f"write {_plain(value, bare=True)}"
    if not isinstance(value, str) or not _is_number(value):
        return rule, _replacement(value, info)
    plain = _plain(float(value), bare=True)
    if "e" in value.lower() and not whole:
        other = _yaml_exponent(value)
        return rule, f"write {plain} or {other} (YAML reads {value.strip()} as text)"
    return rule, f"write {plain} without quotes"


def _boolean(_: ErrorDetails, info: FieldInfo | None) -> tuple[str, str]:
    return "must be true or false", f"write true or false without quotes{_default(info)}"


def _text(details: ErrorDetails, info: FieldInfo | None) -> tuple[str, str]:
    value = details["input"]
    if isinstance(value, bool | int | float):
        return "must be text", f"put it in quotes: '{shown(value)}'"
    return "must be text", _replacement(value, info)


def _choice(details: ErrorDetails, info: FieldInfo | None) -> tuple[str, str]:
    choices = choices_of(info) if info else ()
    near = nearest(str(details["input"]), choices)
    cure = f"did you mean '{near}'?" if near else f"choose one of these{_default(info)}"
    return f"must be one of {_joined(choices)}", cure


def _literal(details: ErrorDetails, info: FieldInfo | None) -> tuple[str, str]:
    right = shown(info.default) if info else details["ctx"]["expected"]
    return f"must be {right}", f"write {right}"


def _section(details: ErrorDetails, info: FieldInfo | None) -> tuple[str, str]:
    if details["input"] is None:
        return "must hold fields", "indent its fields below it, or delete the line"
    section = section_of(info) if info else None
    fields = f", such as {next(iter(wire_fields(section)))}" if section else ""
    return "must hold fields", f"write its fields below it, one a line{fields}"


def _length(details: ErrorDetails, info: FieldInfo | None) -> tuple[str, str]:
    limits = details["ctx"]
    if "min_length" in limits:
        return "must not be empty", f"write a value: {_described(info)}"
    return f"must have at most {limits['max_length']} characters or entries", "shorten it"


def _pattern(details: ErrorDetails, info: FieldInfo | None) -> tuple[str, str]:
    text = _described(info)
    return f"must be {text[:1].lower()}{text[1:]}", f"write it to match {details['ctx']['pattern']}"


def _finite(_: ErrorDetails, info: FieldInfo | None) -> tuple[str, str]:
    return "must be a finite number", f"write one{_default(info)}"


_Word = Callable[[ErrorDetails, FieldInfo | None], tuple[str, str]]
_WORDS: dict[str, _Word] = {
    "int_type": _number,
    "int_parsing_size": _number,
    "int_from_float": _number,
    "float_type": _number,
    "bool_type": _boolean,
    "string_type": _text,
    "enum": _choice,
    "literal_error": _literal,
    "model_type": _section,
    "model_attributes_type": _section,
    "dict_type": _section,
    "string_too_short": _length,
    "string_too_long": _length,
    "too_long": _length,
    "string_pattern_mismatch": _pattern,
    "finite_number": _finite,
}


def _replacement(value: object, info: FieldInfo | None) -> str:
    if value is None:
        return f"write a value or delete the line{_default(info)}"
    return f"replace it{_default(info)}"


def _range(info: FieldInfo) -> str:
    low = high = ""
    for bound in bounds_of(info):
        match bound:
            case Ge(ge=limit):
                low = f"at least {_plain(limit, bare=True)}"
            case Gt(gt=limit):
                low = f"above {_plain(limit, bare=True)}"
            case Le(le=limit):
                high = f"at most {_plain(limit, bare=True)}"
            case Lt(lt=limit):
                high = f"below {_plain(limit, bare=True)}"
    return "must be " + " and ".join(part for part in (low, high) if part)


def _default(info: FieldInfo | None) -> str:
    if info is None or info.is_required() or isinstance(info.default, SpecModel | None):
        return ""
    return f" (the default is {shown(info.default)})"


def _described(info: FieldInfo | None) -> str:
    text = (info.description if info else None) or "see `vppo schema job`"
    return " ".join(text.split()).rstrip(".")


def _other_field(loc: tuple[str | int, ...]) -> str:
    parent = field_at(VPPOJob, loc[:-1])
    section = section_of(parent) if parent else (VPPOJob if len(loc) == 1 else None)
    names = wire_fields(section) if section else {}
    near = nearest(str(loc[-1]), names)
    if near is not None:
        return f"did you mean '{near}'?"
    if len(loc) == 1 and field_at(VPPOJob, ("spec", loc[-1])) is not None:
        return "move it under spec"
    elsewhere = [".".join(leaf.path) for leaf in leaves() if loc[-1] in (leaf.path[-1], leaf.name)]
    if elsewhere:
        return f"did you mean '{elsewhere[0]}'?"
    if len(names) > MAX_LISTED:
        return "delete it (`vppo schema job` lists all fields)"
    return f"delete it, or use one of {_joined(tuple(names))}"


def _joined(names: tuple[str, ...]) -> str:
    return ", ".join(f"'{name}'" for name in names)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _plain(number: Any, *, bare: bool = False) -> str:
    """Digits instead of an exponent; `bare` drops a fraction of nothing."""
    if not math.isfinite(number):
        return repr(number)
    plain = format(Decimal(repr(number)), "f")
    if bare and "." in plain:
        plain = plain.rstrip("0").rstrip(".")
    return plain if len(plain) <= 24 else repr(number)


def _yaml_exponent(text: str) -> str:
    """With a point and a signed exponent, as YAML 1.1 wants a number."""
    mantissa, _, exponent = text.strip().lower().partition("e")
    mantissa = mantissa if "." in mantissa else f"{mantissa}.0"
    return f"{mantissa}e{exponent}" if exponent[:1] in "+-" else f"{mantissa}e+{exponent}"
