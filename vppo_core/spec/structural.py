"""JSON schema as pydantic prints it -> structural schema as Kubernetes takes it. Pure."""

from collections.abc import Mapping
from typing import Any, Final

Schema = dict[str, Any]

_KEPT: Final = (
    "description", "type", "format", "enum", "default", "minimum", "maximum", "minLength",
    "maxLength", "minItems", "maxItems", "maxProperties", "pattern",
)  # fmt: skip
_EXCLUSIVE: Final = {"exclusiveMinimum": "minimum", "exclusiveMaximum": "maximum"}


def structural(schema: Schema, *, has_defaults: bool = True) -> Schema:
    """The schema without references, unions and null; whole numbers have 64 bits.

    A field that may be null becomes one that may be absent: the server removes null itself.

    Args:
        has_defaults: keep defaults, and give each section one of all the defaults in it, so that
            stored objects are whole; a section with a required field has none.
    """
    return _printed(schema, schema.get("$defs", {}), has_defaults)


def default_of(section: Schema) -> Any:
    """The whole default of a printed section, without fields that may be absent; None when one of
    its fields is required."""
    if section.get("required"):
        return None
    if section.get("type") != "object" or "properties" not in section:
        return section.get("default")
    whole = {name: default_of(field) for name, field in section["properties"].items()}
    return {name: value for name, value in whole.items() if value is not None}


def _printed(node: Schema, defs: Mapping[str, Schema], has_defaults: bool) -> Schema:
    node = _resolved(node, defs)
    printed: Schema = {name: node[name] for name in _KEPT if name in node}
    if "description" in printed:
        printed["description"] = " ".join(printed["description"].split())
    if printed.get("default") is None or not has_defaults:
        printed.pop("default", None)
    for exclusive, bound in _EXCLUSIVE.items():
        if exclusive in node:
            printed |= {bound: node[exclusive], exclusive: True}
    if "const" in node:
        printed["enum"] = [node["const"]]
    if node.get("type") == "integer":
        printed["format"] = "int64"
    if "items" in node:
        printed["items"] = _printed(node["items"], defs, has_defaults)
    if isinstance(node.get("additionalProperties"), dict):
        printed["additionalProperties"] = _printed(node["additionalProperties"], defs, has_defaults)
    if "properties" in node:
        _print_section(printed, node, defs, has_defaults)
    return printed


def _print_section(
    printed: Schema, node: Schema, defs: Mapping[str, Schema], has_defaults: bool
) -> None:
    printed["properties"] = {
        name: _printed(field, defs, has_defaults) for name, field in node["properties"].items()
    }
    if node.get("required"):
        printed["required"] = list(node["required"])
    printed.pop("default", None)
    if has_defaults and (default := default_of(printed)) is not None:
        printed["default"] = default


def _resolved(node: Schema, defs: Mapping[str, Schema]) -> Schema:
    """The node itself: what it refers to, or its one kind beside null; its own words win."""
    while True:
        own = {name: value for name, value in node.items() if name not in ("$ref", "anyOf")}
        if "$ref" in node:
            node = {**defs[node["$ref"].rpartition("/")[2]], **own}
        elif "anyOf" in node:
            [kind] = [one for one in node["anyOf"] if one.get("type") != "null"]
            node = {**kind, **own}
        else:
            return node
