"""What people see of the metrics: Grafana dashboards, alerts, runbooks.

Pure descriptions, made of the catalogue's entries, so that a metric is never spelt twice.
`python -m vppo_core.dashboards` prints them into the Helm chart: `dashboards/*.json`,
`rules/vppo.yaml` and `runbooks.md`.
"""

from vppo_core.dashboards.alert import Alert
from vppo_core.dashboards.every import ALERTS, DASHBOARDS
from vppo_core.dashboards.panel import Dashboard, Panel, Query

__all__ = ["ALERTS", "DASHBOARDS", "Alert", "Dashboard", "Panel", "Query"]
