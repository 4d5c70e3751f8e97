"""Dashboards and alerts name metrics that exist, and every metric is looked at by one of them."""

import json
import re
from pathlib import Path

import pytest
import yaml

from tests.dashboards.reading import known_series, plain, selectors
from vppo_core.catalogue import EVERY
from vppo_core.dashboards import DASHBOARDS
from vppo_core.dashboards.foreign import FOREIGN
from vppo_core.dashboards.panel import Show

CHART = Path(__file__).parents[2] / "charts" / "vppo"
WAIVED: dict[str, str] = {}
"""Metrics that no dashboard and no alert looks at, by key, with the reason."""

FILES = [*sorted(CHART.glob("dashboards/*.json")), CHART / "rules" / "vppo.yaml"]


def expressions(path: Path, text: str | None = None) -> list[str]:
    """All expressions of a printed file: of panels, variables, annotations, or alerts."""
    text = text or path.read_text()
    if path.suffix == ".yaml":
        return [rule["expr"] for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]
    dashboard = json.loads(text)
    found = [t["expr"] for panel in dashboard["panels"] for t in panel.get("targets", ())]
    found += [mark["expr"] for mark in dashboard["annotations"]["list"]]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            match = re.fullmatch(r"label_values\((.*), [a-z_]+\)", variable["query"]["query"])
            assert match, variable
            found.append(match[1])
    return found


def named(path: Path, text: str | None = None) -> set[str]:
    """Names of all series that a file looks at."""
    return {one.name for text in expressions(path, text) for one in selectors(plain(text))}


def unknown(path: Path, text: str | None = None) -> set[str]:
    return named(path, text) - set(known_series())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_name_is_in_the_catalogue_or_in_the_table_of_foreign_ones(path: Path) -> None:
    assert unknown(path) == set()


def test_every_metric_is_looked_at() -> None:
    seen = {re.sub(r"_(bucket|sum|count)$", "", name) for path in FILES for name in named(path)}
    seen |= {name for path in FILES for name in named(path)}
    blind = {key for key, entry in EVERY.items() if entry.series not in seen} - set(WAIVED)
    assert blind == set(), "put it on a dashboard, or into WAIVED with a reason"
    assert {name for name in FOREIGN if name not in seen} == set()


def test_nothing_is_waived_that_is_looked_at() -> None:
    seen = {name for path in FILES for name in named(path)}
    assert not {EVERY[key].series for key in WAIVED} & seen
    assert all(reason.endswith(".") for reason in WAIVED.values())


_NAMES = sorted({entry.series for entry in EVERY.values()})


@pytest.mark.parametrize("name", _NAMES)
def test_a_metric_that_is_renamed_is_missed(name: str) -> None:
    """In any file that names it: a mutation of every metric."""
    word = re.compile(rf"\b{name}(?=\b|_bucket\b|_sum\b|_count\b)")
    touched = [path for path in FILES if word.search(path.read_text())]
    assert touched
    for path in touched:
        text, count = word.subn(f"{name}x", path.read_text())
        assert count
        assert unknown(path, text), f"{path.name} does not mind that {name} is gone"


def test_labels_in_expressions_are_those_of_the_metric() -> None:
    ours = {entry.series: set(entry.labels) for entry in EVERY.values()}
    targets = {"job", "instance", "namespace", "job_name", "attempt", "role", "le"}
    for path in FILES:
        for text in expressions(path):
            for one in selectors(plain(text)):
                name = re.sub(r"_(bucket|sum|count)$", "", one.name)
                labels = ours.get(name, ours.get(one.name))
                if labels is not None:
                    assert one.labels <= labels | targets, (path.name, one.text)


def test_a_heat_map_is_made_of_buckets() -> None:
    panels = [panel for one in DASHBOARDS for panel in one.panels() if panel.show is Show.HEAT]
    assert panels
    for panel in panels:
        (query,) = panel.queries
        (selector,) = selectors(plain(query.expression))
        assert selector.name.endswith("_bucket")
        assert query.legend == "{{le}}"
