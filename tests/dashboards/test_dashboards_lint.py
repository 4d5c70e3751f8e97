"""Every dashboard keeps the rules of Grafana's linter; the linter sees what is wrong."""

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from tests.dashboards.rules_of_grafana import problems
from vppo_core.dashboards import DASHBOARDS, Dashboard
from vppo_core.dashboards.grafana import dashboard_json

Json = dict[str, Any]
CHART = Path(__file__).parents[2] / "charts" / "vppo"
EXCEPTIONS = CHART / "dashboards" / ".lint"
every_dashboard = pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda one: one.uid)


@every_dashboard
def test_a_dashboard_keeps_the_rules(dashboard: Dashboard) -> None:
    assert problems(dashboard_json(dashboard), EXCEPTIONS) == []


def test_dashboards_and_titles_are_named_once() -> None:
    assert len({one.uid for one in DASHBOARDS}) == len(DASHBOARDS) == 5
    for dashboard in DASHBOARDS:
        titles = [panel.title for panel in dashboard.panels()]
        assert len(set(titles)) == len(titles), dashboard.uid


@every_dashboard
def test_links_lead_to_dashboards_that_exist(dashboard: Dashboard) -> None:
    uids = {one.uid for one in DASHBOARDS}
    links = [*dashboard.links, *(link for panel in dashboard.panels() for link in panel.links)]
    for _, address in links:
        if "/d/" in address:
            assert address.partition("/d/")[2].partition("?")[0] in uids


@every_dashboard
def test_a_file_fits_into_a_config_map(dashboard: Dashboard) -> None:
    assert len(json.dumps(dashboard_json(dashboard))) < 500_000


def _first(dashboard: Json, kind: str = "timeseries") -> Json:
    panel: Json = next(one for one in dashboard["panels"] if one["type"] == kind)
    return panel


def _expression(text: str) -> Callable[[Json], None]:
    def change(dashboard: Json) -> None:
        _first(dashboard)["targets"][0]["expr"] = text

    return change


_TARGET = 'job=~"$job", instance=~"$instance"'

MISTAKES: dict[str, Callable[[Json], None]] = {
    "template-datasource-rule": lambda one: one["templating"]["list"].pop(0),
    "template-job-rule": lambda one: one["templating"]["list"][1].update(allValue=".*"),
    "template-instance-rule": lambda one: one["templating"]["list"][2].update(multi=False),
    "template-on-time-change-reload-rule": lambda one: one["templating"]["list"][3].update(
        refresh=1
    ),
    "panel-datasource-rule": lambda one: _first(one).update(datasource={"uid": "P123"}),
    "panel-title-description-rule": lambda one: _first(one).update(description=""),
    "panel-units-rule": lambda one: _first(one)["fieldConfig"]["defaults"].pop("unit"),
    "panel-no-targets-rule": lambda one: _first(one).update(targets=[]),
    "panel-kind-rule": lambda one: _first(one).update(type="graph"),
    "target-promql-rule": _expression("sum(rate("),
    "target-rate-interval-rule": _expression(f"rate(vppo_tokens_trained_total{{{_TARGET}}}[5m])"),
    "target-job-rule": _expression('vppo_step{instance=~"$instance"}'),
    "target-instance-rule": _expression('vppo_step{job=~"$job"}'),
    "target-counter-agg-rule": _expression(f"sum(vppo_tokens_trained_total{{{_TARGET}}})"),
    "uneditable-dashboard-rule": lambda one: one.update(editable=True),
    "conventions-rule": lambda one: one.update(schemaVersion=27),
    "ids-and-grid-rule": lambda one: _first(one)["gridPos"].update(x=0, y=0),
}


@pytest.mark.parametrize("rule", MISTAKES)
def test_a_mistake_is_found(rule: str) -> None:
    dashboard = deepcopy(dashboard_json(DASHBOARDS[1]))
    MISTAKES[rule](dashboard)
    assert rule in {one.rule for one in problems(dashboard, EXCEPTIONS)}
