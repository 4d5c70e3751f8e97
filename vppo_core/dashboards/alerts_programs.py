"""Alerts about API, operator and deliveries."""

from typing import Final

from vppo_core.dashboards.alert import Alert, Severity
from vppo_core.dashboards.promql import above, increase, most, rate, series, share, total

_REPLIES: Final = total(rate(series("api_requests"), "5m"))
_ERRORS: Final = total(rate(series("api_requests", 'status=~"5.."'), "5m"))
_OVERVIEW: Final = "vppo-overview"

PROGRAMS: Final = (
    Alert(
        name="VppoApiDown",
        expression='up{job="vppo-api"} == 0 or absent(up{job="vppo-api"})',
        hold="5m",
        severity=Severity.CRITICAL,
        summary="The API does not answer.",
        description="Prometheus could not read the API's metrics for five minutes, or does not "
        "know of an API. Jobs go on; nobody can submit, watch or stop one over HTTP.",
        dashboard=_OVERVIEW,
        runbook=(
            "On a cluster: `kubectl get pods -l app.kubernetes.io/component=api`; a pod that "
            "begins again and again says why in `kubectl logs --previous`.",
            "On one machine: is `vppo serve` running? It can be started again at any time; jobs go "
            "on and are adopted.",
            "If it answers `curl API/healthz`, the scrape is what fails: see Status / Targets in "
            "Prometheus and networkPolicy.monitoringFrom.",
        ),
    ),
    Alert(
        name="VppoOperatorDown",
        expression=f'up{{job="vppo-operator"}} == 0 or absent({series("jobs")})',
        hold="5m",
        severity=Severity.CRITICAL,
        summary="Nobody runs the jobs.",
        description="An operator could not be read for five minutes, or no program reports on "
        "jobs. Attempts that run go on; nothing is started, stopped or retried.",
        dashboard=_OVERVIEW,
        runbook=(
            "`kubectl get pods -l app.kubernetes.io/component=operator`, then its log.",
            "`kubectl get lease`: with two operators one must hold it.",
            "On one machine the server runs the jobs: see VppoApiDown.",
            "Killing the operator is safe: it takes up every job where it was.",
        ),
    ),
    Alert(
        name="VppoApiErrors",
        expression=above(share(_ERRORS, _REPLIES), 0.05),
        hold="10m",
        severity=Severity.WARNING,
        summary="The API fails too often.",
        description="{{ $value | humanizePercentage }} of replies have a status of 5xx.",
        dashboard=_OVERVIEW,
        runbook=(
            "Overview, row API: which route? Its request ids are in the API's log.",
            "503: the archive's database or the API server is away; both come back by themselves.",
            "500: a bug; keep the log lines with the request id.",
        ),
    ),
    Alert(
        name="VppoOperatorStale",
        expression=above(most(series("operator_watch_age_seconds")), 600)
        + " or "
        + above(most(series("operator_resync_age_seconds")), 1200),
        hold="1m",
        severity=Severity.CRITICAL,
        summary="The operator does not see what happens.",
        description="No sign of the watches, or no list of jobs, for "
        "{{ $value | humanizeDuration }}.",
        dashboard=_OVERVIEW,
        runbook=(
            "The operator's log: is the API server refused or away?",
            "Restart the operator: `kubectl rollout restart deployment -l "
            "app.kubernetes.io/component=operator`. It takes up every job where it was.",
        ),
    ),
    Alert(
        name="VppoReconcileErrors",
        expression=above(total(rate(series("operator_reconcile_errors"), "5m")), 0.1),
        hold="15m",
        severity=Severity.WARNING,
        summary="The operator fails at jobs.",
        description="{{ $value | humanize }} looks per second end with an error.",
        dashboard=_OVERVIEW,
        runbook=(
            "The operator's log names job and reason of each.",
            "403: rights are missing, compare with `helm template` of this version's chart.",
            "Timeouts: the API server is slow; see the calls on the overview.",
        ),
    ),
    Alert(
        name="VppoOrphanRayClusters",
        expression=above(total(series("operator_orphans"), "kind"), 0),
        hold="15m",
        severity=Severity.WARNING,
        summary="{{ $labels.kind }} objects of attempts that are over are still there.",
        description="{{ $value }} of them; they may hold GPUs that nobody uses.",
        dashboard=_OVERVIEW,
        runbook=(
            "`kubectl get rayclusters,rayjobs -l vppo.io/job`: which belong to no live attempt?",
            "A finalizer that nobody removes: is KubeRay's operator running?",
            "Delete what is left by hand; the sweep does not touch what it did not make.",
        ),
    ),
    Alert(
        name="VppoArchiveLag",
        expression=above(most(series("archive_lag_seconds")), 120),
        hold="5m",
        severity=Severity.WARNING,
        summary="The archive lags behind.",
        description="The oldest change that is not in it is {{ $value | humanizeDuration }} old. "
        "Training does not wait; history, usage and webhooks do.",
        dashboard=_OVERVIEW,
        runbook=(
            "Is the database there, and is its disk full? The log of the program that writes it "
            "says so.",
            "Nothing is lost: what waits is written when the database is back.",
        ),
    ),
    Alert(
        name="VppoWebhookBacklog",
        expression=above(most(series("webhook_backlog")), 100)
        + " or "
        + above(most(series("webhook_oldest_seconds")), 3600),
        hold="5m",
        severity=Severity.WARNING,
        summary="Webhooks are not delivered.",
        description="More than a hundred deliveries wait, or one has waited for an hour.",
        dashboard=_OVERVIEW,
        runbook=(
            "Overview: results of deliveries. Refused: the receiver; nothing: the way to it, "
            "networkPolicy.webhooks.",
            "Tell the owner of the receiver; deliveries are tried again, and given up after days.",
        ),
    ),
    Alert(
        name="VppoSinkDropping",
        expression=above(
            total(rate(series("sink_dropped"), "5m"), "namespace", "job_name", "sink"), 0
        ),
        hold="10m",
        severity=Severity.WARNING,
        summary="{{ $labels.job_name }} loses records of {{ $labels.sink }}.",
        description="{{ $value | humanize }} per second. Training goes on without them.",
        dashboard="vppo-job",
        runbook=(
            "Is the tracker there? MLflow: `curl MLFLOW/health`, its log, its database.",
            "Is the volume of runs full? The spool is kept there.",
            "What was dropped is in metrics.jsonl of the run all the same.",
        ),
    ),
)
"""The programs."""

_RENDERING: Final = 'failure_class="Rendering"'

ATTEMPTS: Final = (
    Alert(
        name="VppoJobFailing",
        expression=above(total(increase(series("attempt_failures"), "1h"), "failure_class"), 3),
        severity=Severity.WARNING,
        summary="Attempts fail: {{ $labels.failure_class }}.",
        description="{{ $value | humanize }} attempts within an hour.",
        dashboard=_OVERVIEW,
        runbook=(
            "`vppo get` and `vppo explain JOB`: which jobs, and what does the driver say?",
            "One job: its owner. All jobs: the platform, such as an image, a volume, the network.",
            "NodeLost, Network: see the nodes on the cluster page.",
        ),
    ),
    Alert(
        name="VppoJobFailing",
        expression=above(
            total(increase(series("attempt_failures", _RENDERING), "15m"), "failure_class"), 0
        ),
        severity=Severity.CRITICAL,
        summary="Attempts cannot be made.",
        description="The operator's objects were refused: no job can start.",
        dashboard=_OVERVIEW,
        runbook=(
            "`vppo explain JOB` has the API server's refusal.",
            "Was KubeRay, Kueue or a policy of the cluster changed? Our chart without its CRDs?",
        ),
    ),
)
"""Attempts of any job."""
