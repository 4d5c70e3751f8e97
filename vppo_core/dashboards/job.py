"""One job: where it is, whether it learns, what a step is spent on, what a crash would cost."""

from typing import Final

from vppo_core.dashboards.job_learning import LEARNING
from vppo_core.dashboards.job_progress import DURABILITY, PROGRESS
from vppo_core.dashboards.job_time import TIME
from vppo_core.dashboards.panel import Dashboard
from vppo_core.dashboards.shared_parts import JOB_PAGE, MARKS, job_variables, same_jobs

JOB: Final = Dashboard(
    uid="vppo-job",
    title="VPPO / One job",
    description="One job: where it is, whether it learns, what its time is spent on.",
    variables=job_variables("job_phase", is_single=True),
    rows=(PROGRESS, LEARNING, TIME, DURABILITY),
    marks=MARKS,
    links=(
        JOB_PAGE,
        ("Its signal", same_jobs("vppo-signal")),
        ("Its rollout", same_jobs("vppo-rollout")),
        ("Its nodes", same_jobs("vppo-cluster")),
    ),
)
