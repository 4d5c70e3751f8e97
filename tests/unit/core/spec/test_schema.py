"""The committed schema is the one that the spec prints.

After a change of the spec write it anew, from the root of the repository:

    .venv/bin/vppo schema job > tests/golden/job.schema.json
"""

import json
from pathlib import Path

from vppo_core.spec.schema import job_schema

GOLDEN = Path(__file__).parents[3] / "golden" / "job.schema.json"


def test_the_committed_schema_is_up_to_date() -> None:
    assert json.loads(GOLDEN.read_text()) == job_schema()


def test_the_schema_prints_the_same_text_every_time() -> None:
    assert json.dumps(job_schema()) == json.dumps(job_schema())


def test_the_schema_speaks_the_names_of_the_wire_in_the_order_of_the_spec() -> None:
    fields = list(job_schema()["$defs"]["RolloutSpec"]["properties"])
    assert fields[:3] == ["engine", "groupSize", "promptsPerStep"]


def test_the_schema_has_no_unions() -> None:
    text = json.dumps(job_schema())
    assert not [word for word in ("anyOf", "oneOf", "prefixItems") if word in text]
