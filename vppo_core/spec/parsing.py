"""YAML or JSON text to plain values, as strictly as the API server reads it."""

import contextlib
import json
from collections.abc import Hashable
from typing import Any

import yaml

from vppo_core.errors import InvalidSpecError
from vppo_core.spec.wording import shown

MAX_BYTES = 262_144

Document = dict[str, Any]


def read_document(text: str) -> Document:
    """The mapping in a YAML or JSON text, unchecked.

    Raises:
        InvalidSpecError: too large, not YAML, empty, several documents, a repeated key, an alias,
            or something other than a mapping.
    """
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES:
        raise InvalidSpecError(
            f"a job file must have at most {MAX_BYTES} bytes, got {size}; is it the right file?"
        )
    document = parse_value(text)
    if document is None:
        raise InvalidSpecError(
            "a job file must hold one VPPOJob, got an empty file; `vppo presets vppo-7b` prints one"
        )
    if not isinstance(document, dict):
        raise InvalidSpecError(
            f"a job file must be a mapping with apiVersion, kind, metadata and spec, "
            f"got {shown(document)}; `vppo presets vppo-7b` prints one"
        )
    return document


def parse_value(text: str) -> Any:
    """The one value in a JSON or YAML text.

    Raises:
        InvalidSpecError: it is neither, or uses what job files must not.
    """
    try:
        if text.lstrip().startswith("{"):
            # A YAML mapping may open with a brace as well.
            with contextlib.suppress(json.JSONDecodeError):
                return json.loads(text, object_pairs_hook=_unrepeated)
        return yaml.load(text, Loader=_JobLoader)
    except yaml.MarkedYAMLError as error:
        raise InvalidSpecError(_unreadable(error)) from None
    except (yaml.YAMLError, ValueError) as error:
        if isinstance(error, InvalidSpecError):
            raise
        reason = " ".join(str(error).split())
        raise InvalidSpecError(
            f"a job file must be YAML or JSON, got neither ({reason[:120]}); correct it"
        ) from None
    except RecursionError:
        raise InvalidSpecError(
            "a job file must not nest hundreds of levels deep; is it the right file?"
        ) from None


def _unreadable(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    problem = error.problem or error.context or "it cannot be parsed"
    if error.context == "expected a single document in the stream":
        return (
            f"a job file must hold one VPPOJob, got a second document{where}; "
            "put each job into a file of its own"
        )
    return (
        f"a job file must be valid YAML or JSON, got a problem{where}: {problem}; "
        "check the indentation and quotes there"
    )


def _unrepeated(pairs: list[tuple[str, Any]]) -> Document:
    seen: Document = {}
    for key, value in pairs:
        if key in seen:
            raise InvalidSpecError(f"{key} must be given once, got it twice; remove one of the two")
        seen[key] = value
    return seen


class _JobLoader(yaml.SafeLoader):
    """YAML as the API server reads it: text keys, each once, no aliases, dates stay text."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Refuses aliases: a few lines of them can stand for gigabytes."""
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]
            line = event.start_mark.line + 1
            raise InvalidSpecError(
                f"a job file must not use YAML aliases, got *{event.anchor} at line {line}; "
                "write the value out"
            )
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Refuses repeated keys, of which YAML would silently keep the last."""
        seen: set[str] = set()
        for key_node, _ in node.value:
            line = key_node.start_mark.line + 1
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise InvalidSpecError(
                    f"a field name must be text, got {shown(key)} at line {line}; put it in quotes"
                )
            if key in seen:
                raise InvalidSpecError(
                    f"{key} must be given once, got it twice (again at line {line}); "
                    "remove one of the two"
                )
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


_JobLoader.yaml_implicit_resolvers = {
    first: [
        (tag, pattern) for tag, pattern in resolvers if not tag.endswith((":timestamp", ":merge"))
    ]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
