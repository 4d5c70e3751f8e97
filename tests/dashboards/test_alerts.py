"""Prometheus itself says when each alert fires and when it is silent."""

from pathlib import Path

import pytest
import yaml

from tests.dashboards.alert_cases import CASES, HEALTHY, Case
from tests.dashboards.promtool import needs_promtool, nothing, number, promtool, run_tests, world
from vppo_core.dashboards import ALERTS, DASHBOARDS

CHART = Path(__file__).parents[2] / "charts" / "vppo"
RULES = CHART / "rules" / "vppo.yaml"
EVERY_ALERT = [alert for _, alerts in ALERTS for alert in alerts]


def _firing(case: Case) -> str:
    labels = f'alertname="{case.alert}", severity="{case.severity}", alertstate="firing"'
    return f"count(ALERTS{{{labels}}})"


@needs_promtool
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.alert}-{case.at}")
def test_an_alert_fires_and_is_silent(case: Case, tmp_path: Path) -> None:
    fires = world(case.fires, [number(_firing(case), case.at, 1)])
    silent = world(case.silent, [nothing(_firing(case), case.at)])
    run_tests(tmp_path, RULES, [fires, silent])


@needs_promtool
def test_nothing_fires_where_nothing_is_wrong(tmp_path: Path) -> None:
    queries = [nothing("ALERTS", at) for at in ("15m", "30m", "60m")]
    run_tests(tmp_path, RULES, [world(HEALTHY, queries)])


@needs_promtool
def test_a_test_that_does_not_hold_is_seen(tmp_path: Path) -> None:
    case = CASES[0]
    with pytest.raises(AssertionError, match="FAILED"):
        run_tests(tmp_path, RULES, [world(case.silent, [number(_firing(case), case.at, 1)])])


@needs_promtool
def test_prometheus_takes_the_rules() -> None:
    done = promtool("check", "rules", "--lint=all", RULES)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(EVERY_ALERT)} rules found" in done.stdout


def test_every_alert_has_a_case() -> None:
    assert {case.alert for case in CASES} == {alert.name for alert in EVERY_ALERT}
    kinds = {(case.alert, case.severity) for case in CASES}
    assert kinds == {(alert.name, alert.severity.value) for alert in EVERY_ALERT}


@pytest.mark.parametrize("alert", EVERY_ALERT, ids=lambda alert: alert.name)
def test_an_alert_says_what_to_do(alert) -> None:
    assert alert.runbook
    assert alert.summary.strip()
    assert alert.description.endswith((".", "…"))
    assert alert.dashboard in {one.uid for one in DASHBOARDS}
    assert f'<a id="{alert.name}"></a>' in (CHART / "runbooks.md").read_text()


def test_a_rule_leads_to_its_runbook_and_its_dashboard() -> None:
    overview = next(one for one in DASHBOARDS if one.uid == "vppo-overview")
    runbooks = next(panel for panel in overview.panels() if panel.text)
    for group in yaml.safe_load(RULES.read_text())["groups"]:
        for rule in group["rules"]:
            page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
            assert page.endswith(f"/d/vppo-overview?viewPanel={runbooks.number}")
            assert anchor == rule["alert"]
            assert f'id="{anchor}"' in runbooks.text
            assert rule["labels"]["severity"] in ("critical", "warning", "info")
