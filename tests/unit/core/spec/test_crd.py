"""The CRD says what the models say, in the schema that Kubernetes takes."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from vppo_core.manifests.crd_chart import crd_template
from vppo_core.spec.crd import vppojob_crd
from vppo_core.spec.crd_rules import AGREEMENTS, agreements
from vppo_core.spec.fields import field_at, leaves
from vppo_core.spec.hashing import MUTABLE
from vppo_core.spec.job import VPPOJobSpec
from vppo_core.spec.status import VPPOJobStatus

CHART = Path(__file__).parents[4] / "charts" / "vppo-crds"
Schema = dict[str, Any]


def schema(part: str) -> Schema:
    version = vppojob_crd()["spec"]["versions"][0]
    found: Schema = version["schema"]["openAPIV3Schema"]["properties"][part]
    return found


def nodes(node: Schema) -> Iterator[Schema]:
    yield node
    below = [*node.get("properties", {}).values()]
    below += [node[name] for name in ("items", "additionalProperties") if name in node]
    for one in below:
        yield from nodes(one)


def at(node: Schema, path: tuple[str, ...]) -> Schema:
    for name in path:
        node = node["properties"][name]
    return node


def test_the_committed_template_is_the_one_that_is_printed() -> None:
    assert (CHART / "templates" / "vppojobs.yaml").read_text() == crd_template()


@pytest.mark.parametrize(
    ("settings", "annotations"),
    [([], {"helm.sh/resource-policy": "keep"}), (["crds.keep=false"], None)],
)
def test_helm_makes_the_crd_of_it(settings: list[str], annotations: dict[str, str] | None) -> None:
    [rendered] = helm(*settings)
    assert rendered["metadata"].pop("annotations", None) == annotations
    assert rendered == vppojob_crd()


def test_helm_leaves_it_out() -> None:
    assert helm("crds.enabled=false") == []


def helm(*settings: str) -> list[Any]:
    program = Path(sys.executable).with_name("helm")
    if not program.exists():
        pytest.skip("Helm is not in this environment")
    sets = [word for one in settings for word in ("--set", one)]
    done = subprocess.run(
        [str(program), "template", "crds", str(CHART), *sets],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return [one for one in yaml.safe_load_all(done.stdout) if one]


@pytest.mark.parametrize("part", ["spec", "status"])
def test_it_is_structural(part: str) -> None:
    for node in nodes(schema(part)):
        assert node["type"] in ("object", "array", "string", "integer", "number", "boolean")
        assert not {"$ref", "$defs", "anyOf", "allOf", "oneOf", "nullable", "title"} & node.keys()
        assert "uniqueItems" not in node
        assert not ("properties" in node and "additionalProperties" in node)
        assert node.get("default", 0) is not None
        assert "(?" not in node.get("pattern", "")


def test_every_field_has_a_description_in_one_line() -> None:
    for part in ("spec", "status"):
        for node in nodes(schema(part)):
            for name, field in node.get("properties", {}).items():
                assert field["description"].strip(), name
                assert "\n" not in field["description"], name


def test_every_text_and_list_of_a_user_is_bounded() -> None:
    for node in nodes(schema("spec")):
        assert node["type"] != "string" or "maxLength" in node or "enum" in node
        assert node["type"] != "array" or "maxItems" in node
        assert node["type"] != "integer" or "maximum" in node


def test_every_leaf_is_there_with_its_default() -> None:
    spec = schema("spec")
    for leaf in leaves():
        node = at(spec, leaf.path)
        if leaf.info.is_required():
            assert leaf.path[-1] in at(spec, leaf.path[:-1])["required"]
        elif leaf.info.default is None:
            assert "default" not in node
        else:
            assert node["default"] == leaf.info.default
    assert spec["required"] == ["model", "data"]


def test_a_section_is_filled_as_a_whole() -> None:
    defaults = VPPOJobSpec.model_validate({"model": {"source": "m"}, "data": {"source": "d"}})
    wire = defaults.model_dump(mode="json", by_alias=True)
    for name, section in schema("spec")["properties"].items():
        if name not in ("model", "data") and "default" in section:
            assert section["default"] == wire[name]
    missing = [name for name, one in schema("spec")["properties"].items() if "default" not in one]
    assert missing == ["activeDeadlineSeconds", "pendingDeadlineSeconds", "model", "data"]


def test_what_may_not_change_is_held() -> None:
    for name, field in schema("spec")["properties"].items():
        rules = field.get("x-kubernetes-validations", [])
        assert (name in MUTABLE) is not any(one["rule"] == "self == oldSelf" for one in rules)


BROKEN: list[dict[str, Any]] = [
    {"rollout": {"promptsPerStep": 10}, "learner": {"promptsPerUpdate": 4}},
    {"placement": {"rollout": {"gpus": 2}}},
    {"dependency": {"enabled": False}},
    {"dependency": {"grid": "reference", "fill": "blur"}},
    {"algorithm": {"shapingScope": "reference_device", "shaping": "fixed"}},
    {"algorithm": {"dualClip": 0.5}},
    {"algorithm": {"filterLow": 0.9, "filterHigh": 0.5}},
    {"model": {"source": "m", "minPixels": 10, "maxPixels": 9}},
    {"reward": {"grader": "arithmetic"}},
]
"""A spec that breaks each rule, in the order of the rules."""


@pytest.mark.parametrize(("rule", "sections"), zip(AGREEMENTS, BROKEN, strict=True))
def test_the_server_says_what_the_model_says(rule: Any, sections: dict[str, Any]) -> None:
    spec = {"model": {"source": "m"}, "data": {"source": "d"}, **sections}
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the text is compared below
        VPPOJobSpec.model_validate(spec)
    start, *_ = rule.message.split("got")
    words = start.split("{")[0].strip("' (")
    assert len(words) > 20
    assert words in str(caught.value)


def test_the_rules_read_fields_that_exist() -> None:
    text = json.dumps(agreements())
    paths = set(re.findall(r"self\.([a-zA-Z]+\.[a-zA-Z.]+[a-zA-Z])", text))
    for path in paths:
        names = path.removesuffix(".contains").split(".")
        assert field_at(VPPOJobSpec, names) is not None, path
    assert len(paths) > 15


def test_the_status_has_the_fields_of_the_model_and_no_defaults() -> None:
    status = schema("status")
    assert list(status["properties"]) == list(
        VPPOJobStatus.model_json_schema(by_alias=True)["properties"]
    )
    assert not [node for node in nodes(status) if "default" in node]
    assert status["properties"]["checkpoint"]["properties"]["created"] == {
        "description": "When it was complete.",
        "type": "string",
        "format": "date-time",
    }


def test_it_is_small_enough_for_a_client_side_apply() -> None:
    assert len(json.dumps(vppojob_crd())) < 100_000
