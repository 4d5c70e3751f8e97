"""Overview: is anything wrong, and with which job or program?"""

from typing import Final

from vppo_core.dashboards.overview_jobs import JOBS
from vppo_core.dashboards.overview_programs import API_ROW, DELIVERY_ROW, OPERATOR_ROW
from vppo_core.dashboards.panel import (
    RUNBOOKS,
    RUNBOOKS_PANEL,
    Dashboard,
    Panel,
    Query,
    Row,
    Show,
    lines,
)
from vppo_core.dashboards.promql import or_none, own, rate, share, total, up
from vppo_core.dashboards.shared_parts import (
    ALL_JOBS_PAGE,
    MARKS,
    bad_from,
    job_variables,
    to_job,
)

UID: Final = "vppo-overview"
RUNBOOKS_TITLE: Final = "What to do when an alert fires"

_ALERTS: Final = 'ALERTS{alertname=~"Vppo.+", alertstate="firing"}'
_WAITING: Final = 'phase=~"Pending|Queued|Starting|Retrying"'
_REPLIES: Final = total(rate(own("api_requests")))
_ERRORS: Final = total(rate(own("api_requests", 'status=~"5.."')))

_NOW: Final = (
    Panel(
        title="Alerts",
        description="How many alerts fire; the table below names them.",
        queries=lines(f"count({_ALERTS}) or vector(0)"),
        show=Show.NUMBER,
        width=4,
        height=4,
        thresholds=bad_from(1),
    ),
    Panel(
        title="Jobs that train",
        description="Jobs in phase Running.",
        queries=lines(total(own("jobs", 'phase="Running"'))),
        show=Show.NUMBER,
        width=4,
        height=4,
    ),
    Panel(
        title="Jobs that wait",
        description="Jobs that were accepted and do not train yet.",
        queries=lines(total(own("jobs", _WAITING))),
        show=Show.NUMBER,
        width=4,
        height=4,
    ),
    Panel(
        title="GPUs in use",
        description="Share of the platform's GPUs that attempts hold; 0 where it has none.",
        queries=lines(
            f"{total(own('gpus_allocated'))} / clamp_min({total(own('gpus_offered'))}, 1)"
        ),
        unit="percentunit",
        decimals=0,
        show=Show.NUMBER,
        width=4,
        height=4,
    ),
    Panel(
        title="Programs that answer",
        description="API and operator: targets that answered the last scrape.",
        queries=lines(f"count({up('vppo-api|vppo-operator')} == 1)"),
        show=Show.NUMBER,
        width=4,
        height=4,
    ),
    Panel(
        title="Errors of the API",
        description="Share of replies with a status of 5xx. By route: below.",
        queries=lines(share(or_none(_ERRORS, _REPLIES), _REPLIES)),
        unit="percentunit",
        decimals=2,
        show=Show.NUMBER,
        width=4,
        height=4,
        thresholds=bad_from(0.05),
    ),
    Panel(
        title="Alerts that fire",
        description="Follow a row to what to do, or to the job. An empty table is the good state.",
        queries=(Query(expression=_ALERTS, is_instant=True),),
        show=Show.TABLE,
        width=24,
        height=6,
        columns=(
            ("alertname", "Alert", ""),
            ("severity", "Severity", ""),
            ("job_namespace", "Namespace", ""),
            ("job_name", "Job", ""),
        ),
        hidden=("Value", "__name__", "alertstate", "instance", "job"),
        links=(
            (RUNBOOKS_TITLE, f"{RUNBOOKS}#${{__data.fields.alertname}}"),
            ("The job", to_job("vppo-job", "${__data.fields.job_name}")),
        ),
    ),
)


def overview(runbooks: str) -> Dashboard:
    """The page; `runbooks` says, as markdown, what to do about each alert."""
    text = Panel(
        title=RUNBOOKS_TITLE,
        description="The same text that charts/vppo/runbooks.md has.",
        show=Show.TEXT,
        width=24,
        height=24,
        text=runbooks,
        number=RUNBOOKS_PANEL,
    )
    return Dashboard(
        uid=UID,
        title="VPPO / Overview",
        description="Jobs, API and operator at a glance; each alert leads on from here.",
        variables=job_variables("job_phase", is_single=False),
        rows=(
            Row(title="Now", panels=_NOW),
            JOBS,
            API_ROW,
            OPERATOR_ROW,
            DELIVERY_ROW,
            Row(title="Runbooks", panels=(text,)),
        ),
        marks=MARKS,
        links=(ALL_JOBS_PAGE,),
    )
