"""Rows about jobs on the overview."""

from typing import Final

from vppo_core.dashboards.panel import Panel, Query, Row, Show, lines
from vppo_core.dashboards.promql import increase, most, own, quantile, total
from vppo_core.dashboards.shared_parts import bad_from, to_job, warn_from

PHASES: Final = (
    (1, "Pending", "#8F8F8F"),
    (2, "Queued", "yellow"),
    (3, "Starting", "super-light-blue"),
    (4, "Running", "green"),
    (5, "Stopping", "purple"),
    (6, "Retrying", "orange"),
    (7, "Paused", "blue"),
)
"""Phases of jobs that are not over, as the numbers that a timeline draws."""

_WHO: Final = ("job_namespace", "job_name")
_NAMES: Final = "{{job_namespace}}/{{job_name}}"


def phase_number() -> str:
    """Number of the phase that each job is in."""
    flags = ((own("job_phase", f'phase="{word}"'), number) for number, word, _ in PHASES)
    parts = (f"{flag} * {number}" for flag, number in flags)
    return most(" or ".join(parts), *_WHO)


def _latest(key: str) -> Query:
    return Query(expression=most(own(key), *_WHO), is_instant=True)


_TABLE: Final = (
    Query(expression=phase_number(), is_instant=True),
    Query(
        expression=most(f"time() - {own('job_phase_timestamp_seconds')}", *_WHO), is_instant=True
    ),
    _latest("job_step"),
    _latest("job_total_steps"),
    _latest("job_step_mean_seconds"),
    Query(
        expression=most(f"time() - {own('job_last_progress_timestamp_seconds')}", *_WHO),
        is_instant=True,
    ),
    _latest("job_checkpoint_step"),
    _latest("job_attempts"),
)
_COLUMNS: Final = (
    ("job_namespace", "Namespace", ""),
    ("job_name", "Job", ""),
    ("Value #A", "Phase", "short"),
    ("Value #B", "In it for", "s"),
    ("Value #C", "Step", "short"),
    ("Value #D", "Of", "short"),
    ("Value #E", "Step takes", "s"),
    ("Value #F", "Last step ago", "s"),
    ("Value #G", "Checkpoint of step", "short"),
    ("Value #H", "Attempts", "short"),
)

JOBS: Final = Row(
    title="Jobs",
    panels=(
        Panel(
            title="Life of jobs",
            description="The phase of each job that is not over. A click leads to the job.",
            queries=lines(phase_number(), _NAMES),
            show=Show.TIMELINE,
            words=PHASES,
            width=24,
            height=9,
            links=(("The job", to_job("vppo-job", "${__field.labels.job_name}")),),
        ),
        Panel(
            title="Jobs that are not over",
            description="How far each one is. Long without a step: it hangs, look at its page.",
            queries=_TABLE,
            show=Show.TABLE,
            columns=_COLUMNS,
            words=PHASES,
            words_of="Phase",
            width=24,
            height=8,
            links=(("The job", to_job("vppo-job", "${__data.fields.job_name}")),),
        ),
        Panel(
            title="Jobs by phase",
            description="All jobs that the platform knows; those that are over as well.",
            queries=lines(total(own("jobs"), "phase"), "{{phase}}"),
            is_stacked=True,
        ),
        Panel(
            title="Wait for a place",
            description="From acceptance to the start of an attempt, of the attempts that began.",
            queries=(
                Query(
                    expression=quantile(0.5, own("queue_wait_seconds", suffix="_bucket")),
                    legend="half of them within",
                ),
                Query(
                    expression=quantile(0.95, own("queue_wait_seconds", suffix="_bucket")),
                    legend="95 % within",
                ),
            ),
            unit="s",
            least=0,
        ),
        Panel(
            title="GPUs",
            description="GPUs that attempts hold, of those that the platform offers.",
            queries=(
                Query(expression=total(own("gpus_allocated"), "pool"), legend="{{pool}} in use"),
                Query(expression=total(own("gpus_offered"), "pool"), legend="{{pool}} offered"),
            ),
            least=0,
        ),
        Panel(
            title="GPU time by use",
            description="GPU-hours per hour, of attempts that are over: steps that count, steps "
            "that were lost, and the rest. Much lost: checkpoint more often.",
            queries=lines(total(f"rate({own('gpu_seconds')}[$__rate_interval])", "use"), "{{use}}"),
            is_stacked=True,
            least=0,
        ),
        Panel(
            title="Attempts that failed, by class",
            description="UserError and DataError need the job's owner; NodeLost, Network and "
            "Preempted are retried; Rendering is a mistake of the platform.",
            queries=lines(
                total(increase(own("attempt_failures")), "failure_class"), "{{failure_class}}"
            ),
            is_stacked=True,
            least=0,
        ),
        Panel(
            title="Attempts begun, restarts inside them",
            description="A driver that begins again inside an attempt was restarted by somebody "
            "who was not asked: see the events of its pod.",
            queries=(
                Query(expression=total(increase(own("attempts_started"))), legend="attempts"),
                Query(expression=total(increase(own("silent_restarts"))), legend="restarts"),
            ),
            least=0,
        ),
        Panel(
            title="Live attempts of a job",
            description="1 at most. More would train the same job twice: stop all but the newest.",
            queries=lines(most(own("job_live_attempts"), *_WHO), _NAMES),
            thresholds=bad_from(2),
            least=0,
        ),
        Panel(
            title="Steps since the last checkpoint",
            description="What would be lost now.",
            queries=lines(
                f"{most(own('job_step'), *_WHO)} - {most(own('job_checkpoint_step'), *_WHO)}",
                _NAMES,
            ),
            least=0,
        ),
        Panel(
            title="Time since the last step",
            description="Ten times a usual step: the job hangs.",
            queries=lines(
                most(f"time() - {own('job_last_progress_timestamp_seconds')}", *_WHO), _NAMES
            ),
            unit="s",
            thresholds=warn_from(900, 3600),
            least=0,
        ),
    ),
)
