"""`python -m vppo_core.dashboards CHART`: dashboards, rules, runbooks and the list of metrics."""

import json
import sys
from pathlib import Path

from vppo_core.dashboards.every import ALERTS, DASHBOARDS
from vppo_core.dashboards.grafana import dashboard_json
from vppo_core.dashboards.metrics_page import metrics_page
from vppo_core.dashboards.rules import rule_file
from vppo_core.dashboards.runbooks import runbooks

_TITLE = "# What to do when an alert fires\n\nPrinted by `make dashboards`.\n\n"


def files() -> dict[str, str]:
    """Text of each file, by its path within the chart."""
    found = {
        f"dashboards/{one.file}": json.dumps(dashboard_json(one), indent=1, ensure_ascii=False)
        + "\n"
        for one in DASHBOARDS
    }
    return found | {
        "rules/vppo.yaml": rule_file(ALERTS),
        "runbooks.md": _TITLE + runbooks(ALERTS),
        "metrics.md": metrics_page(),
    }


def main(chart: Path) -> None:
    """Write all files; a dashboard that is no more is removed."""
    wanted = files()
    for stale in chart.glob("dashboards/*.json"):
        if f"dashboards/{stale.name}" not in wanted:
            stale.unlink()
    for name, text in wanted.items():
        path = chart / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
