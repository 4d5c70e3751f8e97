"""The workflows do what a person can do here, with actions that cannot change under us."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.unit.charts.rendering import ROOT

FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def steps(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for job in document["jobs"].values():
        yield from job["steps"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_actions_are_pinned_and_tokens_may_only_read(path: Any) -> None:
    document = yaml.safe_load(path.read_text())
    assert document["permissions"] == {"contents": "read"}
    for step in steps(document):
        if "uses" in step:
            assert re.search(r"@(v\d+(\.\d+)*|[0-9a-f]{40})$", step["uses"]), step["uses"]
    for job in document["jobs"].values():
        assert job["timeout-minutes"]


def test_targets_and_charts_that_are_named_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    dockerfile = (ROOT / "Dockerfile").read_text()
    text = "".join(path.read_text() for path in FILES)
    for target in re.findall(r"run: make ([\w-]+)", text):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    targets = set(re.findall(r"target: (\w+)$", text, re.MULTILINE))
    for target in targets | {"control", "cpu", "gpu"}:
        assert re.search(rf" AS {target}$", dockerfile, re.MULTILINE), target
    for chart in ("vppo", "vppo-crds"):
        assert (ROOT / "charts" / chart / "Chart.yaml").is_file()


def test_a_release_has_one_version() -> None:
    chart = yaml.safe_load((ROOT / "charts" / "vppo" / "Chart.yaml").read_text())
    project = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert project
    assert chart["version"] == chart["appVersion"] == project[1]
