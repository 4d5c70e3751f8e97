"""`python -m vppo_core.spec.values_schema CHART`: the schema by which Helm checks a chart's values.

Descriptions are the comments of the chart's own `values.yaml`, so that they stand in one place.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any, Final

from vppo_core.spec.cluster import ClusterSpec
from vppo_core.spec.values import ChartValues

# Helm 3 knows no younger dialect.
DIALECT: Final = "http://json-schema.org/draft-07/schema#"
_KEY: Final = re.compile(r"^(\s*)([A-Za-z][\w./-]*):")
_COMMENT: Final = re.compile(r"^\s*# -- (.*)$")


def values_schema(values_text: str) -> dict[str, Any]:
    """The schema of the chart's values; the same every time.

    Args:
        values_text: `values.yaml` with its comments.
    """
    schema = ChartValues.model_json_schema(by_alias=True)
    cluster = ClusterSpec.model_json_schema(by_alias=True)
    definitions = schema["$defs"] | cluster.pop("$defs")
    # The chart writes the image itself.
    cluster.pop("required")
    definitions["ClusterSpec"] = cluster
    definitions["Platform"]["properties"]["cluster"] = {"$ref": "#/$defs/ClusterSpec"}
    # Helm hands a parent chart's common values down under this name.
    schema["properties"]["global"] = {"type": "object"}
    schema = _inlined(schema, definitions)
    for path, text in comments(values_text).items():
        _at(schema, path)["description"] = text
    return {"$schema": DIALECT, **schema}


def comments(values_text: str) -> dict[tuple[str, ...], str]:
    """What `values.yaml` says about each of its keys: the lines `# -- ` above it."""
    found: dict[tuple[str, ...], str] = {}
    path: list[tuple[int, str]] = []
    said: list[str] = []
    for line in values_text.splitlines():
        if comment := _COMMENT.match(line):
            said.append(comment[1])
        elif key := _KEY.match(line):
            path = [part for part in path if part[0] < len(key[1])]
            path.append((len(key[1]), key[2]))
            if said:
                found[tuple(name for _, name in path)] = " ".join(said)
            said = []
    return found


def _inlined(node: Any, definitions: dict[str, Any]) -> Any:
    """Without references, so that each place has a description of its own."""
    if isinstance(node, list):
        return [_inlined(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    node = {name: part for name, part in node.items() if name != "$defs"}
    if "type" in node or "$ref" in node:
        node.pop("default", None)  # it stands in values.yaml
    reference = node.pop("$ref", "")
    if reference.endswith("/JsonValue"):
        return node
    if reference:
        node = definitions[reference.rpartition("/")[2]] | node
    return {
        name: _inlined(part, definitions)
        for name, part in node.items()
        if name != "title" or isinstance(part, dict)  # titles are made up from names
    }


def _at(schema: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    for name in path:
        schema = schema["properties"][name]
    return schema


if __name__ == "__main__":
    _text = (Path(sys.argv[1]) / "values.yaml").read_text()
    sys.stdout.write(json.dumps(values_schema(_text), indent=2, ensure_ascii=False) + "\n")
