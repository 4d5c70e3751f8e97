"""All dashboards and alerts, in the order in which they are printed."""

from typing import Final

from vppo_core.dashboards.alert import Alert
from vppo_core.dashboards.alerts_jobs import LIVES
from vppo_core.dashboards.alerts_programs import ATTEMPTS, PROGRAMS
from vppo_core.dashboards.alerts_runs import RUNS
from vppo_core.dashboards.cluster import CLUSTER
from vppo_core.dashboards.job import JOB
from vppo_core.dashboards.overview import overview
from vppo_core.dashboards.panel import Dashboard
from vppo_core.dashboards.rollout import ROLLOUT
from vppo_core.dashboards.runbooks import runbooks
from vppo_core.dashboards.signal import SIGNAL

ALERTS: Final[tuple[tuple[str, tuple[Alert, ...]], ...]] = (
    ("vppo-programs", PROGRAMS),
    ("vppo-attempts", ATTEMPTS),
    ("vppo-jobs", LIVES),
    ("vppo-runs", RUNS),
)
"""Groups of the rule file."""

DASHBOARDS: Final[tuple[Dashboard, ...]] = (
    overview(runbooks(ALERTS)),
    JOB,
    SIGNAL,
    ROLLOUT,
    CLUSTER,
)
