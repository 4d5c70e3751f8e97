"""What the control plane measures: jobs, the operator, the API."""

from typing import Final

from vppo_core.catalogue.entry import QUICK_BUCKETS, WAIT_BUCKETS, Metric, Owner, Page

_jobs = Owner(Page.CONTROL, "jobs")
_operator = Owner(Page.OPERATOR, "operator")
_api = Owner(Page.API, "api")

_JOB: Final = ("job_namespace", "job_name")

JOBS: Final[tuple[Metric, ...]] = (
    _jobs.gauge("jobs", "jobs",
        "Jobs by phase.", "phase"),
    # Of jobs that are not over: one that ended leaves no series behind.
    _jobs.gauge("job_phase", "flag",
        "1 for the phase that the job is in.", *_JOB, "phase"),
    _jobs.gauge("job_phase_timestamp_seconds", "seconds",
        "When the job came into its phase, since the epoch.", *_JOB),
    _jobs.gauge("job_step", "steps",
        "Weight updates done.", *_JOB),
    _jobs.gauge("job_total_steps", "steps",
        "Weight updates asked for.", *_JOB),
    _jobs.gauge("job_step_mean_seconds", "seconds",
        "Mean time of the last steps.", *_JOB),
    _jobs.gauge("job_last_progress_timestamp_seconds", "seconds",
        "When the job's last step was seen to end, since the epoch.", *_JOB),
    _jobs.gauge("job_checkpoint_step", "steps",
        "Step of the last complete checkpoint.", *_JOB),
    _jobs.gauge("job_attempts", "attempts",
        "Attempts begun.", *_JOB),
    _jobs.gauge("job_live_attempts", "attempts",
        "Attempts that hold pods or processes; 1 at most.", *_JOB),
    # Of all jobs.
    _jobs.counter("attempts_started", "attempts",
        "Attempts begun."),
    _jobs.counter("attempt_failures", "attempts",
        "Attempts that failed, by class of failure.", "failure_class"),
    _jobs.counter("silent_restarts", "restarts",
        "Drivers that began again inside one attempt."),
    _jobs.counter("gpu_seconds", "seconds",
        "GPU time of attempts that are over: productive, lost, idle. No GPU counts as one.", "use"),
    _jobs.gauge("gpus_allocated", "gpus",
        "GPUs that attempts hold, by pool.", "pool"),
    _jobs.gauge("gpus_offered", "gpus",
        "GPUs of a pool, as the platform says.", "pool"),
    _jobs.histogram("queue_wait_seconds", "seconds",
        "From when a job gets into line until its attempt has its machines.",
        buckets=WAIT_BUCKETS),
    _jobs.gauge("archive_backlog", "jobs",
        "Jobs that wait to be written to the archive."),
    _jobs.gauge("archive_lag_seconds", "seconds",
        "Age of the oldest change that is not in the archive."),
)  # fmt: skip

OPERATOR: Final[tuple[Metric, ...]] = (
    _operator.histogram("operator_reconcile_seconds", "seconds",
        "Time of one look at a job.", buckets=QUICK_BUCKETS),
    _operator.counter("operator_reconcile_errors", "looks",
        "Looks at a job that ended with an error."),
    _operator.gauge("operator_queue_depth", "jobs",
        "Jobs that wait for a free worker."),
    _operator.gauge("operator_watch_age_seconds", "seconds",
        "Time since the last sign from the watches."),
    _operator.gauge("operator_resync_age_seconds", "seconds",
        "Time since all jobs were listed last."),
    _operator.gauge("operator_orphans", "objects",
        "Objects of attempts that are over, found by the last sweep.", "kind"),
    _operator.counter("operator_api_calls", "calls",
        "Calls of the API server.", "verb", "resource"),
    _operator.gauge("operator_leader", "flag",
        "1 while this program runs the jobs, 0 on standby."),
)  # fmt: skip

API: Final[tuple[Metric, ...]] = (
    _api.counter("api_requests", "replies",
        "Replies by route, method and status.", "route", "method", "status"),
    _api.histogram("api_request_seconds", "seconds",
        "Time to the first byte of a reply.", "route", "method", buckets=QUICK_BUCKETS),
    _api.gauge("api_streams", "streams",
        "Readers of live events, metrics and logs."),
    _api.gauge("webhook_backlog", "deliveries",
        "Deliveries that wait for their receiver."),
    _api.gauge("webhook_oldest_seconds", "seconds",
        "Age of the oldest delivery that waits."),
    _api.counter("webhook_deliveries", "deliveries",
        "Attempts to deliver, by result.", "result"),
)  # fmt: skip
