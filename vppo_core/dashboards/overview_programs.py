"""Rows about API, operator and deliveries on the overview."""

from typing import Final

from vppo_core.dashboards.panel import Panel, Query, Row, lines
from vppo_core.dashboards.promql import (
    increase,
    mean_time,
    most,
    or_none,
    own,
    quantile,
    rate,
    share,
    total,
)
from vppo_core.dashboards.shared_parts import bad_from, warn_from

_REPLIES: Final = total(rate(own("api_requests")), "route")
_ERRORS: Final = total(rate(own("api_requests", 'status=~"5.."')), "route")
_TIMES: Final = own("api_request_seconds", suffix="_bucket")
_LOOKS: Final = own("operator_reconcile_seconds", suffix="_bucket")

API_ROW: Final = Row(
    title="API",
    panels=(
        Panel(
            title="Replies",
            description="Rate of replies by route and method.",
            queries=lines(
                total(rate(own("api_requests")), "method", "route"), "{{method}} {{route}}"
            ),
            unit="reqps",
            width=6,
            least=0,
        ),
        Panel(
            title="Share of errors",
            description="Replies with a status of 5xx, by route. The log names each by request id.",
            queries=lines(share(or_none(_ERRORS, _REPLIES), _REPLIES), "{{route}}"),
            unit="percentunit",
            width=6,
            thresholds=bad_from(0.05),
            least=0,
            most=1,
        ),
        Panel(
            title="Time of a reply",
            description="95 % of replies have their first byte within, by route.",
            queries=lines(quantile(0.95, _TIMES, "route"), "{{route}}"),
            unit="s",
            width=6,
            is_log=True,
        ),
        Panel(
            title="Live readers",
            description="Readers of live events, metrics and logs: each holds a connection.",
            queries=lines(total(own("api_streams"), "instance"), "{{instance}}"),
            width=6,
            least=0,
        ),
    ),
)

OPERATOR_ROW: Final = Row(
    title="Operator",
    panels=(
        Panel(
            title="Jobs that wait for a worker",
            description="Grows when looks are slower than changes: see their time beside it.",
            queries=lines(total(own("operator_queue_depth"), "instance"), "{{instance}}"),
            width=6,
            least=0,
        ),
        Panel(
            title="Time of a look at a job",
            description="95 % within, and the mean. Slow: the API server or the archive is.",
            queries=(
                Query(expression=quantile(0.95, _LOOKS), legend="95 % within"),
                Query(expression=mean_time("operator_reconcile_seconds"), legend="mean"),
            ),
            unit="s",
            width=6,
            is_log=True,
        ),
        Panel(
            title="Looks that ended with an error",
            description="Errors per second; the operator's log has job and reason of each.",
            queries=lines(
                total(rate(own("operator_reconcile_errors")), "instance"), "{{instance}}"
            ),
            unit="cps",
            width=6,
            thresholds=bad_from(0.1),
            least=0,
        ),
        Panel(
            title="Age of what the operator knows",
            description="Since the last sign of the watches, and since all jobs were listed.",
            queries=(
                Query(expression=most(own("operator_watch_age_seconds")), legend="watches"),
                Query(expression=most(own("operator_resync_age_seconds")), legend="list of jobs"),
            ),
            unit="s",
            width=6,
            thresholds=warn_from(600, 1200),
            least=0,
        ),
        Panel(
            title="Who leads",
            description="1 for the program that runs the jobs. Nobody: jobs stand still.",
            queries=lines(most(own("operator_leader"), "instance"), "{{instance}}"),
            least=0,
            most=1,
        ),
        Panel(
            title="Calls of the API server",
            description="By verb and resource. The server slows down who calls too often.",
            queries=lines(
                total(rate(own("operator_api_calls")), "verb", "resource"), "{{verb}} {{resource}}"
            ),
            unit="reqps",
            least=0,
        ),
        Panel(
            title="Orphans",
            description="Objects of attempts that are over: they may hold GPUs. The sweep deletes "
            "them; what stays must be deleted by hand.",
            queries=lines(most(own("operator_orphans"), "kind"), "{{kind}}"),
            thresholds=bad_from(1),
            least=0,
        ),
    ),
)

DELIVERY_ROW: Final = Row(
    title="Archive, webhooks, trackers",
    panels=(
        Panel(
            title="Archive",
            description="Age of the oldest change that is not in the archive. Training does not "
            "wait for it; history and usage do.",
            queries=lines(most(own("archive_lag_seconds")), "oldest change"),
            unit="s",
            width=6,
            thresholds=bad_from(120),
            least=0,
        ),
        Panel(
            title="Jobs that wait for the archive",
            description="Grows while the database cannot be written.",
            queries=lines(total(own("archive_backlog")), "jobs"),
            width=6,
            least=0,
        ),
        Panel(
            title="Webhooks that wait",
            description="Deliveries whose receivers do not answer.",
            queries=lines(most(own("webhook_backlog")), "deliveries"),
            width=6,
            thresholds=bad_from(100),
            least=0,
        ),
        Panel(
            title="Oldest webhook",
            description="Age of the oldest delivery that waits.",
            queries=lines(most(own("webhook_oldest_seconds")), "oldest delivery"),
            unit="s",
            width=6,
            thresholds=bad_from(3600),
            least=0,
        ),
        Panel(
            title="Webhooks, by result",
            description="Attempts to deliver.",
            queries=lines(total(increase(own("webhook_deliveries")), "result"), "{{result}}"),
            is_stacked=True,
            least=0,
        ),
        Panel(
            title="Records that trackers miss",
            description="What runs hold on disk until a tracker, such as MLflow, takes it again.",
            queries=lines(total(own("sink_pending"), "job_name", "sink"), "{{job_name}}: {{sink}}"),
            least=0,
        ),
        Panel(
            title="Records lost",
            description="The spool or its disk was full, or the tracker refused them.",
            queries=lines(
                total(increase(own("sink_dropped")), "job_name", "sink"), "{{job_name}}: {{sink}}"
            ),
            thresholds=bad_from(1),
            least=0,
        ),
    ),
)
