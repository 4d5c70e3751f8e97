"""The rules of grafana/dashboard-linter that hold for our dashboards, and two of our own.

Exceptions, with a reason each, stand in `.lint` beside the dashboards, in that tool's own form.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from tests.dashboards.reading import Selector, known_series, plain, selectors
from vppo_core.catalogue import Kind

Json = dict[str, Any]
SOURCES: Final = {"$datasource", "${datasource}"}
_WITH_UNIT: Final = {"stat", "timeseries", "table", "gauge", "bargauge"}
_WITHOUT_DATA: Final = {"row", "text"}
_KINDS: Final = {
    "timeseries", "stat", "table", "state-timeline", "heatmap", "text", "row", "gauge", "bargauge",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Problem:
    """What a rule found."""

    rule: str
    dashboard: str
    panel: str
    text: str


def problems(dashboard: Json, exceptions: Path | None = None) -> list[Problem]:
    """What all rules find, without what is excepted."""
    found = [
        Problem(rule, dashboard["title"], panel, text)
        for rule, look in _RULES.items()
        for panel, text in look(dashboard)
    ]
    excepted = _excepted(exceptions) if exceptions else set()
    return [one for one in found if (one.rule, one.dashboard, one.panel) not in excepted]


def _excepted(path: Path) -> set[tuple[str, str, str]]:
    exclusions = yaml.safe_load(path.read_text())["exclusions"]
    for rule, content in exclusions.items():
        assert rule in _RULES, f"{path}: no such rule: {rule}"
        assert content["reason"], f"{path}: {rule} is excepted without a reason"
    return {
        (rule, entry["dashboard"], entry.get("panel", ""))
        for rule, content in exclusions.items()
        for entry in content["entries"]
    }


Found = Iterator[tuple[str, str]]
"""Title of the panel, or nothing, and what is wrong."""


def _panels(dashboard: Json) -> list[Json]:
    return [one for one in dashboard["panels"] if one["type"] not in _WITHOUT_DATA]


def _targets(dashboard: Json) -> Iterator[tuple[str, str]]:
    for panel in _panels(dashboard):
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


def _selectors(expression: str) -> list[Selector]:
    """None where the expression cannot be read, which a rule of its own says."""
    try:
        return selectors(plain(expression))
    except ValueError:
        return []


def _variables(dashboard: Json) -> dict[str, Json]:
    return {one["name"]: one for one in dashboard["templating"]["list"]}


def _template_datasource(dashboard: Json) -> Found:
    source = _variables(dashboard).get("datasource")
    if source is None:
        yield "", "no variable `datasource`"
    elif (source["type"], source["query"], source["label"]) != (
        "datasource",
        "prometheus",
        "Data source",
    ):
        yield "", "`datasource` is not a choice of Prometheus data sources"


def _template_of_targets(name: str) -> Callable[[Json], Found]:
    def look(dashboard: Json) -> Found:
        variable = _variables(dashboard).get(name)
        if variable is None:
            yield "", f"no variable `{name}`"
            return
        if variable["type"] != "query" or variable["datasource"]["uid"] not in SOURCES:
            yield "", f"`{name}` is no query of the chosen data source"
        if not variable["multi"] or variable["allValue"] != ".+":
            yield "", f"`{name}` cannot be several, or all: `.+`"

    return look


def _template_reload(dashboard: Json) -> Found:
    for name, variable in _variables(dashboard).items():
        if variable["type"] == "query" and variable["refresh"] != 2:
            yield "", f"`{name}` is not read again when the time changes"


def _panel_datasource(dashboard: Json) -> Found:
    for panel in _panels(dashboard):
        for holder in (panel, *panel["targets"]):
            if holder["datasource"]["uid"] not in SOURCES:
                yield panel["title"], "not of the chosen data source"


def _panel_title_description(dashboard: Json) -> Found:
    for panel in dashboard["panels"]:
        if not panel["title"] or (panel["type"] != "row" and not panel["description"]):
            yield panel["title"], "without title or description"


def _panel_units(dashboard: Json) -> Found:
    for panel in _panels(dashboard):
        if panel["type"] in _WITH_UNIT and not panel["fieldConfig"]["defaults"].get("unit"):
            yield panel["title"], "without a unit"


def _panel_no_targets(dashboard: Json) -> Found:
    for panel in _panels(dashboard):
        if not panel["targets"]:
            yield panel["title"], "without a query"


def _panel_kind(dashboard: Json) -> Found:
    for panel in dashboard["panels"]:
        if panel["type"] not in _KINDS:
            yield panel["title"], f"{panel['type']} is not a kind that Grafana still has"


def _target_promql(dashboard: Json) -> Found:
    for title, expression in _targets(dashboard):
        try:
            selectors(plain(expression))
        except ValueError as error:
            yield title, str(error)


def _target_rate_interval(dashboard: Json) -> Found:
    for title, expression in _targets(dashboard):
        for function in ("rate(", "irate(", "increase("):
            calls = expression.count(function)
            if function == "rate(":
                calls -= expression.count("irate(")
            if calls and "[$__rate_interval]" not in expression:
                yield title, f"{function}...) without $__rate_interval"


def _target_matcher(label: str) -> Callable[[Json], Found]:
    def look(dashboard: Json) -> Found:
        for title, expression in _targets(dashboard):
            # The variable's place holder is looked for, so only the others are replaced.
            kept = expression.replace(f'"${label}"', '"CHOSEN"')
            for one in _selectors(kept):
                if (label, "MatchOp.Re", "CHOSEN") not in one.matchers:
                    yield title, f'{one.name} without {label}=~"${label}"'

    return look


def _target_counter_agg(dashboard: Json) -> Found:
    kinds = known_series()
    for title, expression in _targets(dashboard):
        for one in _selectors(expression):
            if kinds.get(one.name) is Kind.COUNTER and not one.is_counted:
                yield title, f"{one.name} is a counter and shown raw"


def _uneditable(dashboard: Json) -> Found:
    if dashboard["editable"]:
        yield "", "editable"


def _conventions(dashboard: Json) -> Found:
    wanted: Json = {"id": None, "refresh": "30s", "tags": ["vppo"], "editable": False}
    for name, value in wanted.items():
        if dashboard[name] != value:
            yield "", f"{name} is {dashboard[name]!r}, not {value!r}"
    if "version" in dashboard or dashboard["time"] != {"from": "now-3h", "to": "now"}:
        yield "", "has a version, or another time than the last three hours"
    if not 39 <= dashboard["schemaVersion"] <= 41 or not dashboard["uid"].startswith("vppo-"):
        yield "", "another schema, or a foreign uid"


def _ids_and_grid(dashboard: Json) -> Found:
    ids = Counter(panel["id"] for panel in dashboard["panels"])
    for number, count in ids.items():
        if count > 1:
            yield "", f"panel {number} is there {count} times"
    cells: dict[tuple[int, int], str] = {}
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        if place["x"] < 0 or place["x"] + place["w"] > 24 or place["h"] < 1:
            yield panel["title"], "outside the grid"
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                if (x, y) in cells:
                    yield panel["title"], f"over {cells[x, y]}"
                    return
                cells[x, y] = panel["title"]


_RULES: Final[dict[str, Callable[[Json], Found]]] = {
    "template-datasource-rule": _template_datasource,
    "template-job-rule": _template_of_targets("job"),
    "template-instance-rule": _template_of_targets("instance"),
    "template-on-time-change-reload-rule": _template_reload,
    "panel-datasource-rule": _panel_datasource,
    "panel-title-description-rule": _panel_title_description,
    "panel-units-rule": _panel_units,
    "panel-no-targets-rule": _panel_no_targets,
    "panel-kind-rule": _panel_kind,
    "target-promql-rule": _target_promql,
    "target-rate-interval-rule": _target_rate_interval,
    "target-job-rule": _target_matcher("job"),
    "target-instance-rule": _target_matcher("instance"),
    "target-counter-agg-rule": _target_counter_agg,
    "uneditable-dashboard-rule": _uneditable,
    "conventions-rule": _conventions,
    "ids-and-grid-rule": _ids_and_grid,
}
