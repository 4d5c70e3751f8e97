"""Rows of one job about its progress, and about what a crash would cost."""

from typing import Final

from vppo_core.dashboards.overview_jobs import PHASES, phase_number
from vppo_core.dashboards.panel import Panel, Query, Row, Show, lines
from vppo_core.dashboards.promql import increase, mean_time, most, own, quantile, total
from vppo_core.dashboards.shared_parts import bad_from, warn_from

_LEFT: Final = f"{most(own('job_total_steps'))} - {most(own('job_step'))}"
_TRAINED: Final = total(f"max_over_time({own('step_seconds', suffix='_count')}[$__range])")
_COUNTS: Final = most(f"max_over_time({own('step')}[$__range])")


def _number(title: str, text: str, expression: str, unit: str = "short") -> Panel:
    """A small panel with one number."""
    return Panel(
        title=title,
        description=text,
        queries=lines(expression),
        unit=unit,
        show=Show.NUMBER,
        width=3,
        height=4,
    )


PROGRESS: Final = Row(
    title="Progress",
    panels=(
        Panel(
            title="Phase",
            description="Where the job is in its life; its page says why.",
            queries=lines(phase_number()),
            show=Show.NUMBER,
            words=PHASES,
            width=3,
            height=4,
        ),
        _number(
            "Done",
            "Share of the steps that the job asks for.",
            f"{most(own('job_step'))} / {most(own('job_total_steps'))}",
            "percentunit",
        ),
        _number("Step", "Weight updates done.", most(own("job_step"))),
        _number(
            "Time left",
            "Steps left, at the pace of the last ones.",
            f"({_LEFT}) * {most(own('job_step_mean_seconds'))}",
            "s",
        ),
        _number(
            "Since the last step",
            "Much more than a step takes: it hangs.",
            most(f"time() - {own('job_last_progress_timestamp_seconds')}"),
            "s",
        ),
        _number("Attempt", "Number of the attempt that trains.", most(own("attempt"))),
        _number(
            "Since it began",
            "Age of the driver's process.",
            f"time() - {most(own('attempt_start_timestamp_seconds'))}",
            "s",
        ),
        _number(
            "Steps trained twice",
            "Steps that were done in the time that is shown, less those that count: what restarts "
            "have cost. Show the job from its beginning.",
            f"clamp_min({_TRAINED} - {_COUNTS}, 0)",
        ),
        Panel(
            title="Steps",
            description="Steps done of those asked for. A jump down is a restart from a "
            "checkpoint; red marks are attempts, blue ones checkpoints.",
            queries=(
                Query(
                    expression=most(own("step"), "job_name", "attempt"),
                    legend="attempt {{attempt}}",
                ),
                Query(expression=most(own("total_steps"), "job_name"), legend="asked for"),
            ),
            width=12,
            least=0,
        ),
        Panel(
            title="Time of a step",
            description="Wall time: mean and 95th percentile of the steps in the window.",
            queries=(
                Query(expression=mean_time("step_seconds"), legend="mean"),
                Query(
                    expression=quantile(0.95, own("step_seconds", suffix="_bucket")),
                    legend="95 % within",
                ),
            ),
            unit="s",
            width=12,
            least=0,
        ),
    ),
)

DURABILITY: Final = Row(
    title="Durability and data",
    panels=(
        Panel(
            title="Age of the last checkpoint",
            description="Beside it: how many steps a crash would cost now.",
            queries=lines(
                most(f"time() - {own('checkpoint_timestamp_seconds')}", "job_name"), "{{job_name}}"
            ),
            unit="s",
            least=0,
        ),
        Panel(
            title="Steps since the last checkpoint",
            description="Against the interval that the job asks for. Above it twice: checkpoints "
            "fail; the driver's log says why.",
            queries=(
                Query(
                    expression=f"{most(own('step'))} - {most(own('checkpoint_step'))}",
                    legend="since the last",
                ),
                Query(expression=most(own("checkpoint_every_steps")), legend="asked for"),
            ),
            least=0,
        ),
        Panel(
            title="Time of a checkpoint",
            description="From its start until it is complete, mean of the window.",
            queries=lines(mean_time("checkpoint_seconds"), "mean"),
            unit="s",
            least=0,
        ),
        Panel(
            title="Checkpoints that failed",
            description="Could not be written: the volume is full, or away.",
            queries=lines(total(increase(own("checkpoint_failures")), "job_name"), "{{job_name}}"),
            thresholds=bad_from(1),
            width=6,
            least=0,
        ),
        Panel(
            title="Rows set aside",
            description="Rows that cannot be trained on, with their reason in quarantine.jsonl.",
            queries=lines(total(increase(own("quarantined_rows")), "job_name"), "{{job_name}}"),
            width=6,
            least=0,
        ),
        Panel(
            title="Values that were not finite",
            description="NaN or infinite metrics: they are counted and left out.",
            queries=lines(total(increase(own("nonfinite_values")), "job_name"), "{{job_name}}"),
            thresholds=bad_from(1),
            width=6,
            least=0,
        ),
        Panel(
            title="Records that trackers miss",
            description="Held on disk until MLflow takes them; dropped ones are lost.",
            queries=(
                Query(expression=total(own("sink_pending"), "sink"), legend="{{sink}} waits"),
                Query(
                    expression=total(increase(own("sink_dropped")), "sink"),
                    legend="{{sink}} dropped",
                ),
            ),
            width=6,
            thresholds=warn_from(10_000, 100_000),
            least=0,
        ),
    ),
)
