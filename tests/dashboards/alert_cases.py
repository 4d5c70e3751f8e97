"""For each alert: series with which it fires, and series so near to them that it must be silent."""

from dataclasses import dataclass
from typing import Final

Series = dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A world in which an alert fires, and one in which it does not, at the same time."""

    alert: str
    severity: str
    at: str
    fires: Series
    silent: Series


_JOB = 'job_namespace="team",job_name="a"'
_RUN = 'namespace="team",job_name="a",attempt="1",job="vppo-runs",instance="h:1"'
_RAY = 'namespace="team",job_name="a",job="vppo-ray"'


def _phase(name: str) -> Series:
    return {f'vppo_job_phase{{{_JOB},phase="{name}"}}': "1x600"}


def _steps(metric: str, values: str, steps: str = "0+1x60") -> Series:
    return {f"{metric}{{{_RUN}}}": values, f"vppo_step{{{_RUN}}}": steps}


def _replies(bad: str) -> Series:
    name = 'vppo_api_requests_total{route="/jobs",method="GET",status='
    return {f'{name}"200"}}': "0+90x60", f'{name}"503"}}': bad}


def _failures(failure: str, values: str) -> Series:
    return {f'vppo_attempt_failures_total{{failure_class="{failure}"}}': values}


_SINK = f'vppo_sink_dropped_total{{{_RUN},sink="mlflow"}}'
_KILLS = f'ray_memory_manager_worker_eviction_total{{{_RAY},Name="learner"}}'
_SPILLED = f'ray_object_store_memory{{{_RAY},Location="SPILLED"}}'
_GPU = f'ray_node_gpus_utilization{{{_RAY},GpuIndex="0"}}'
_PROGRESS = f"vppo_job_last_progress_timestamp_seconds{{{_JOB}}}"
_SLOW = {f"vppo_job_step_mean_seconds{{{_JOB}}}": "200x600"}
_USUAL = {f"vppo_job_step_mean_seconds{{{_JOB}}}": "60x600"}
_SINCE = f"vppo_job_phase_timestamp_seconds{{{_JOB}}}"
_READ = {f"vppo_step{{{_RUN}}}": "1x60"}
_ROLES = {f'ray_vppo_replica_calls_total{{{_RAY},role="learner",replica="0"}}': "0+1x60"}
_OPERATOR = {'up{job="vppo-operator",instance="o:1"}': "1x60"}
_JOBS = {'vppo_jobs{phase="Running"}': "0x60"}
_API = 'up{job="vppo-api",instance="a:1"}'

CASES: Final = (
    Case(alert="VppoApiDown", severity="critical", at="20m",
         fires={_API: "1x5 0x60"}, silent={_API: "1x10 0x3 1x60"}),
    Case(alert="VppoApiDown", severity="critical", at="20m",
         fires=_JOBS, silent={_API: "1x60"}),
    Case(alert="VppoOperatorDown", severity="critical", at="20m",
         fires={'up{job="vppo-operator",instance="o:1"}': "0x60"} | _JOBS,
         silent=_OPERATOR | _JOBS),
    # On one machine there is no operator; the server reports on jobs.
    Case(alert="VppoOperatorDown", severity="critical", at="20m",
         fires={_API: "1x60"}, silent={_API: "1x60"} | _JOBS),
    Case(alert="VppoApiErrors", severity="warning", at="30m",
         fires=_replies("0+10x60"), silent=_replies("0+4x60")),
    Case(alert="VppoOperatorStale", severity="critical", at="20m",
         fires={"vppo_operator_watch_age_seconds": "0+60x60"},
         silent={"vppo_operator_watch_age_seconds": "0+29x60",
                 "vppo_operator_resync_age_seconds": "0+50x60"}),
    Case(alert="VppoOperatorStale", severity="critical", at="30m",
         fires={"vppo_operator_resync_age_seconds": "0+60x60"},
         silent={"vppo_operator_resync_age_seconds": "1200x60"}),
    Case(alert="VppoReconcileErrors", severity="warning", at="30m",
         fires={"vppo_operator_reconcile_errors_total": "0+12x60"},
         silent={"vppo_operator_reconcile_errors_total": "0+5x60"}),
    Case(alert="VppoOrphanRayClusters", severity="warning", at="30m",
         fires={'vppo_operator_orphans{kind="RayCluster"}': "1x60"},
         silent={'vppo_operator_orphans{kind="RayCluster"}': "1x10 0x60"}),
    Case(alert="VppoArchiveLag", severity="warning", at="20m",
         fires={"vppo_archive_lag_seconds": "0+60x60"},
         silent={"vppo_archive_lag_seconds": "100x60"}),
    Case(alert="VppoWebhookBacklog", severity="warning", at="20m",
         fires={"vppo_webhook_backlog": "101x60"}, silent={"vppo_webhook_backlog": "100x60"}),
    Case(alert="VppoWebhookBacklog", severity="warning", at="20m",
         fires={"vppo_webhook_oldest_seconds": "3601x60"},
         silent={"vppo_webhook_oldest_seconds": "3600x60"}),
    Case(alert="VppoSinkDropping", severity="warning", at="30m",
         fires={_SINK: "0+1x60"}, silent={_SINK: "0x5 7x60"}),
    Case(alert="VppoJobFailing", severity="warning", at="60m",
         fires=_failures("NodeLost", "0x10 1x10 2x10 3x10 5x60"),
         silent=_failures("NodeLost", "0x20 2x60")),
    Case(alert="VppoJobFailing", severity="critical", at="20m",
         fires=_failures("Rendering", "0x15 1x60"), silent=_failures("AppFailed", "0x15 1x60")),
    Case(alert="VppoAttemptInvariant", severity="critical", at="1m",
         fires={f"vppo_job_live_attempts{{{_JOB}}}": "2x10"},
         silent={f"vppo_job_live_attempts{{{_JOB}}}": "1x10"}),
    Case(alert="VppoJobStuckPending", severity="warning", at="400m",
         fires=_phase("Queued") | {_SINCE: "0x600"},
         silent=_phase("Paused") | {_SINCE: "0x600"}),
    Case(alert="VppoJobNoProgress", severity="warning", at="30m",
         fires=_phase("Running") | {_PROGRESS: "0x600"} | _USUAL,
         silent=_phase("Running") | {_PROGRESS: "0x600"} | _SLOW),
    Case(alert="VppoJobNoProgress", severity="warning", at="30m",
         fires=_phase("Running") | {_PROGRESS: "0x600"} | _USUAL,
         silent=_phase("Stopping") | {_PROGRESS: "0x600"} | _USUAL),
    Case(alert="VppoSilentRestart", severity="warning", at="20m",
         fires={f"vppo_attempt_start_timestamp_seconds{{{_RUN}}}": "100x10 700x60"},
         silent={f"vppo_attempt_start_timestamp_seconds{{{_RUN}}}": "100x10 _x60",
                 f"vppo_attempt_start_timestamp_seconds{{{_RUN.replace('1', '2')}}}":
                     "_x10 700x60"}),
    Case(alert="VppoSilentRestart", severity="warning", at="20m",
         fires={"vppo_silent_restarts_total": "0x10 1x60"},
         silent={"vppo_silent_restarts_total": "4x60"}),
    Case(alert="VppoGpuIdle", severity="warning", at="40m",
         fires={_GPU: "3x60"} | _READ, silent={_GPU: "3x15 80x60"} | _READ),
    Case(alert="VppoGpuIdle", severity="warning", at="40m",
         fires={_GPU: "3x60"} | _READ, silent={_GPU: "3x60"}),
    Case(alert="VppoSpilling", severity="warning", at="30m",
         fires={_SPILLED: "0+1e9x60"}, silent={_SPILLED: "5e9x60"}),
    Case(alert="VppoOomKill", severity="warning", at="20m",
         fires={_KILLS: "_x10 1x60"}, silent={_KILLS: "1x60"}),
    Case(alert="VppoOomKill", severity="warning", at="30m",
         fires={_KILLS: "1x20 2x60"}, silent={_KILLS: "1x5 2x60"}),
    Case(alert="VppoMetricsMissing", severity="warning", at="20m",
         fires=_phase("Running") | _READ, silent=_phase("Running") | _READ | _ROLES),
    Case(alert="VppoMetricsMissing", severity="warning", at="20m",
         fires=_phase("Running") | _ROLES, silent=_phase("Starting")),
    Case(alert="VppoCheckpointStale", severity="warning", at="30m",
         fires=_steps("vppo_checkpoint_step", "0x60")
         | {f"vppo_checkpoint_every_steps{{{_RUN}}}": "10x60"},
         silent=_steps("vppo_checkpoint_step", "0x20 20x60")
         | {f"vppo_checkpoint_every_steps{{{_RUN}}}": "10x60"}),
    # Before the first checkpoint, and where the job asks for none.
    Case(alert="VppoCheckpointStale", severity="warning", at="30m",
         fires={f"vppo_step{{{_RUN}}}": "0+1x60",
                f"vppo_checkpoint_every_steps{{{_RUN}}}": "10x60"},
         silent={f"vppo_step{{{_RUN}}}": "0+1x60",
                 f"vppo_checkpoint_every_steps{{{_RUN}}}": "0x60"}),
    Case(alert="VppoNoSignal", severity="info", at="10m",
         fires=_steps("vppo_no_signal_share", "0.95x60"),
         silent=_steps("vppo_no_signal_share", "0.95x7 0.5 0.95x60")),
    # A step takes eight minutes.
    Case(alert="VppoNoSignal", severity="info", at="58m",
         fires=_steps("vppo_no_signal_share", "0.95x80", "0x8 1x8 2x8 3x8 4x8 5x8 6x8 7x8"),
         silent=_steps("vppo_no_signal_share", "0.95x80", "0x30 1x80")),
    Case(alert="VppoBlind", severity="info", at="10m",
         fires=_steps("vppo_blindness", "1x60"), silent=_steps("vppo_blindness", "1x7 0 1x60")),
    Case(alert="VppoLogProbMismatch", severity="warning", at="10m",
         fires=_steps("vppo_rollout_logprob_mismatch_nats", "0.2x60"),
         silent=_steps("vppo_rollout_logprob_mismatch_nats", "0.05x60")),
    Case(alert="VppoEntropyOutOfRange", severity="info", at="10m",
         fires=_steps("vppo_entropy_mean_nats", "0.001x60"),
         silent=_steps("vppo_entropy_mean_nats", "0.5x60")),
    Case(alert="VppoEntropyOutOfRange", severity="info", at="10m",
         fires=_steps("vppo_entropy_mean_nats", "7x60"),
         silent=_steps("vppo_entropy_mean_nats", "7x7 4 7x60")),
)  # fmt: skip

HEALTHY: Final[Series] = (
    {_API: "1x60"} | _OPERATOR | _JOBS | _replies("0x60") | _phase("Running") | _READ | _ROLES
    | {_PROGRESS: "0+60x60", _SINCE: "0x60", _GPU: "85x60", _SPILLED: "0x60", _SINK: "0x60"}
    | _USUAL | _failures("NodeLost", "0x60") | _failures("Rendering", "0x60")
    | {"vppo_operator_watch_age_seconds": "2x60", "vppo_operator_resync_age_seconds": "100x60",
       "vppo_operator_reconcile_errors_total": "0x60", "vppo_archive_lag_seconds": "1x60",
       "vppo_webhook_backlog": "3x60", "vppo_webhook_oldest_seconds": "10x60",
       'vppo_operator_orphans{kind="RayCluster"}': "0x60", "vppo_silent_restarts_total": "0x60",
       f"vppo_job_live_attempts{{{_JOB}}}": "1x60",
       f"vppo_attempt_start_timestamp_seconds{{{_RUN}}}": "5x60",
       f"vppo_blindness{{{_RUN}}}": "0x60", f"vppo_entropy_mean_nats{{{_RUN}}}": "0.4x60",
       f"vppo_no_signal_share{{{_RUN}}}": "0.4x60",
       f"vppo_rollout_logprob_mismatch_nats{{{_RUN}}}": "0.01x60",
       f"vppo_checkpoint_step{{{_RUN}}}": "0+1x60",
       f"vppo_checkpoint_every_steps{{{_RUN}}}": "10x60"}
)  # fmt: skip
"""A cluster on which nothing is wrong."""
