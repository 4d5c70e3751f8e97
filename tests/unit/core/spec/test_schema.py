"""The committed schema is the one that the spec prints.

After a change of the spec write it anew, from the root of the repository:

    .venv/bin/vppo schema job > tests/golden/job.schema.json
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vppo_core.spec.schema import job_schema

GOLDEN = Path(__file__).parents[3] / "golden" / "job.schema.json"


def test_the_committed_schema_is_up_to_date() -> None:
    assert json.loads(GOLDEN.read_text()) == job_schema()


def test_the_schema_prints_the_same_text_every_time() -> None:
    assert json.dumps(job_schema()) == json.dumps(job_schema())


def test_the_schema_speaks_the_names_of_the_wire_in_the_order_of_the_spec() -> None:
    fields = list(job_schema()["$defs"]["RolloutSpec"]["properties"])
    assert fields[:3] == ["engine", "groupSize", "promptsPerStep"]


def test_the_only_union_is_a_value_or_nothing() -> None:
    text = json.dumps(job_schema())
    assert not [word for word in ("oneOf", "allOf", "prefixItems") if f'"{word}"' in text]
    unions = [node["anyOf"] for node in nodes(job_schema()) if "anyOf" in node]
    assert unions
    assert all(len(union) == 2 and union[1] == {"type": "null"} for union in unions)


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for child in children:
        yield from nodes(child)
