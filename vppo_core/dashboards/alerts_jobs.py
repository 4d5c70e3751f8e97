"""Alerts about the life of one job."""

from typing import Final

from vppo_core.dashboards.alert import Alert, Severity
from vppo_core.dashboards.promql import above, increase, mean, most, others, series, total

_JOB: Final = ("job_namespace", "job_name")
_RUN: Final = ("namespace", "job_name")
_PAGE: Final = "vppo-job"
_NAME: Final = "{{ $labels.job_name }}"
_OF_JOB: Final = f"and on ({', '.join(_JOB)})"
_TRAINS: Final = most(series("job_phase", 'phase="Running"'), *_JOB) + " == 1"
_WAITS: Final = most(series("job_phase", 'phase=~"Queued|Starting"'), *_JOB) + " == 1"
_SINCE: Final = f"(time() - {most(series('job_last_progress_timestamp_seconds'), *_JOB)})"
_USUAL: Final = most(series("job_step_mean_seconds"), *_JOB)
_STARTED: Final = series("attempt_start_timestamp_seconds")
_KILLED: Final = others("ray_memory_manager_worker_eviction_total")
_SPILLED: Final = others("ray_object_store_memory", 'Location="SPILLED"')


def _read(key: str) -> str:
    """Jobs whose metric is read, under the labels by which the control plane names jobs."""
    named = f'label_replace({series(key)}, "job_namespace", "$1", "namespace", "(.*)")'
    return f"group by ({', '.join(_JOB)}) ({named})"


LIVES: Final = (
    Alert(
        name="VppoAttemptInvariant",
        expression=above(most(series("job_live_attempts"), *_JOB), 1),
        severity=Severity.CRITICAL,
        summary=f"{_NAME} has more than one live attempt.",
        description="{{ $value }} attempts hold pods: they write the same checkpoints.",
        dashboard=_PAGE,
        runbook=(
            "`vppo pause JOB`: a checkpoint first, then nothing of it is left.",
            "If pods stay: `kubectl delete rayjob JOB-aN` for all but the newest N.",
            "Keep the operator's log: this must never happen.",
        ),
    ),
    Alert(
        name="VppoJobStuckPending",
        expression=f"(time() - {most(series('job_phase_timestamp_seconds'), *_JOB)}) > 21600 "
        f"{_OF_JOB} ({_WAITS})",
        severity=Severity.WARNING,
        summary=f"{_NAME} has waited for six hours.",
        description="Queued or Starting for {{ $value | humanizeDuration }}.",
        dashboard=_PAGE,
        runbook=(
            "`vppo explain JOB` says what it waits for.",
            "Quota: who holds it? Overview, GPUs. A higher priority lets it pass.",
            "Starting: `kubectl describe pod` of its pods; image, volume, or no node that fits.",
        ),
    ),
    Alert(
        name="VppoJobNoProgress",
        expression=f"{_SINCE} > 900 and {_SINCE} > 10 * {_USUAL} {_OF_JOB} ({_TRAINS})",
        severity=Severity.WARNING,
        summary=f"{_NAME} hangs.",
        description="No step for {{ $value | humanizeDuration }}, ten times what one takes.",
        dashboard=_PAGE,
        runbook=(
            "Page of the job, row Time: the last stage that ended; what came after it hangs.",
            "`vppo logs JOB`, then `ray stack` in the head's pod.",
            "Cluster: a node at 100 % memory, a spilling object store, a GPU with an XID?",
            "`vppo pause JOB` and `vppo resume JOB` go on from the last checkpoint.",
        ),
    ),
    Alert(
        name="VppoSilentRestart",
        expression=f"{above(most(f'changes({_STARTED}[15m])', *_RUN, 'attempt'), 0)} or "
        f"{above(total(increase(series('silent_restarts'), '15m')), 0)}",
        severity=Severity.WARNING,
        summary="A driver began again inside its attempt. {{ $labels.job_name }}",
        description="Somebody else than the operator restarted it: steps since its last checkpoint "
        "are trained again, and nobody counts the attempt.",
        dashboard=_PAGE,
        runbook=(
            "`kubectl describe pod` of the head: OOMKilled, evicted, a probe?",
            "More memory for the head: platform.cluster.head.memoryMib.",
        ),
    ),
    Alert(
        name="VppoGpuIdle",
        expression=f"{mean(others('ray_node_gpus_utilization'), *_RUN)} < 10 "
        f"and on ({', '.join(_RUN)}) {series('step')}",
        hold="20m",
        severity=Severity.WARNING,
        summary=f"The GPUs of {_NAME} idle.",
        description="Mean use of {{ $value | humanize }} % for twenty minutes.",
        dashboard="vppo-cluster",
        runbook=(
            "Page of the job, rows Progress and Time: does it hang, or wait for one role?",
            "A role that is always busy needs more replicas; the others have too many.",
            "Nobody needs it any more? `vppo pause JOB` gives the GPUs back.",
        ),
    ),
    Alert(
        name="VppoSpilling",
        expression=above(total(f"delta({_SPILLED}[15m])", *_RUN), 0),
        hold="5m",
        severity=Severity.WARNING,
        summary=f"The object store of {_NAME} spills to disk.",
        description="{{ $value | humanize1024 }}B within a quarter of an hour: steps get slow.",
        dashboard="vppo-cluster",
        runbook=(
            "Raise placement.objectStoreMib, or the memory of the pods.",
            "Page of the job: bytes of batches. Longer answers or larger images than usual?",
        ),
    ),
    Alert(
        name="VppoOomKill",
        # Its first value is 1: growth is not seen, being there is.
        expression=f"{above(total(increase(_KILLED, '15m'), *_RUN), 0)} or "
        f"{total(f'{_KILLED} unless {_KILLED} offset 15m', *_RUN)}",
        severity=Severity.WARNING,
        summary=f"Ray killed processes of {_NAME} for want of memory.",
        description="{{ $value | humanize }} within a quarter of an hour.",
        dashboard="vppo-cluster",
        runbook=(
            "Cluster: memory of processes; which role grew?",
            "More memory for its pods, or fewer processes in each: placement and the pool's nodes.",
        ),
    ),
    Alert(
        name="VppoMetricsMissing",
        expression=f"{_TRAINS} unless ({_read('step')} and {_read('replica_calls')})",
        hold="5m",
        severity=Severity.WARNING,
        summary=f"{_NAME} trains, and its metrics are not read.",
        description="No series of its driver or of its roles: alerts about it are silent.",
        dashboard=_PAGE,
        runbook=(
            "Prometheus, Status / Targets: are `vppo-runs` and `vppo-ray` there, and up?",
            "On a cluster: monitoring.jobs, the labels that Prometheus selects monitors by, "
            "networkPolicy.monitoringFrom.",
            "On one machine: `curl localhost:8080/metrics/targets?kind=runs`.",
        ),
    ),
)
