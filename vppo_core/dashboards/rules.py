"""Prints the alerts as a rule file: Prometheus loads it, and a PrometheusRule holds it."""

from typing import Any, Final

import yaml

from vppo_core.dashboards.alert import Alert
from vppo_core.dashboards.panel import GRAFANA, RUNBOOKS
from vppo_core.dashboards.runbooks import Groups

_HEAD: Final = "# Printed by `make dashboards` from vppo_core/dashboards; edit there.\n"


def rule_file(groups: Groups) -> str:
    """The whole file."""
    content = {
        "groups": [
            {"name": name, "rules": [_rule(alert) for alert in alerts]} for name, alerts in groups
        ]
    }
    text: str = yaml.safe_dump(content, sort_keys=False, width=100, allow_unicode=True)
    return _HEAD + text


def _rule(alert: Alert) -> dict[str, Any]:
    timing = {} if alert.hold == "0s" else {"for": alert.hold}
    return {
        "alert": alert.name,
        "expr": alert.expression,
        **timing,
        "labels": {"severity": alert.severity.value},
        "annotations": {
            "summary": alert.summary.strip(),
            "description": alert.description,
            "runbook": "\n".join(alert.runbook),
            "runbook_url": f"{RUNBOOKS}#{alert.name}",
            "dashboard_url": f"{GRAFANA}/d/{alert.dashboard}{_choice(alert)}",
        },
    }


def _choice(alert: Alert) -> str:
    return "?var-namespace=All&var-job_name={{ $labels.job_name }}" if alert.is_of_job else ""
