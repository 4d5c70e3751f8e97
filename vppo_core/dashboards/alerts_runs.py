"""Alerts about what a run learns and saves."""

from typing import Final

from vppo_core.dashboards.alert import Alert, Severity
from vppo_core.dashboards.promql import above, series

_PAGE: Final = "vppo-job"
_NAME: Final = "{{ $labels.job_name }}"
_STEPS: Final = 5
# Steps take seconds or an hour: within one of these, five of them end.
_WINDOWS: Final = ("10m", "1h", "6h")


def _for_steps(function: str, key: str, condition: str) -> str:
    """Holds for all values of the last steps, five at least."""
    parts = (
        f"{function}({series(key)}[{window}]) {condition} "
        f"and changes({series('step')}[{window}]) >= {_STEPS}"
        for window in _WINDOWS
    )
    return " or ".join(f"({part})" for part in parts)


_SINCE: Final = f"({series('step')} - ({series('checkpoint_step')} or 0 * {series('step')}))"
_EVERY: Final = series("checkpoint_every_steps")

RUNS: Final = (
    Alert(
        name="VppoCheckpointStale",
        expression=f"{_SINCE} > 2 * {_EVERY} and {above(_EVERY, 0)}",
        hold="5m",
        severity=Severity.WARNING,
        summary=f"The last checkpoint of {_NAME} is old.",
        description="{{ $value }} steps would be lost now, more than twice the interval.",
        dashboard=_PAGE,
        runbook=(
            "Page of the job, row Durability: do checkpoints fail, or do they take long?",
            "`vppo logs JOB`: no space on the volume, no rights, an address that is away.",
        ),
    ),
    Alert(
        name="VppoNoSignal",
        expression=_for_steps("min_over_time", "no_signal_share", "> 0.9"),
        severity=Severity.INFO,
        summary=f"{_NAME} finds nothing to learn from.",
        description="For five steps {{ $value | humanizePercentage }} of its groups and more were "
        "all right or all wrong.",
        dashboard=_PAGE,
        runbook=(
            "Page of the job, groups: all right (questions too easy) or all wrong (too hard, or a "
            "grader that never agrees; see its verdicts and samples in Spotlight)?",
            "Other data, a larger group, a higher temperature.",
        ),
    ),
    Alert(
        name="VppoBlind",
        expression=_for_steps("min_over_time", "blindness", "== 1"),
        severity=Severity.INFO,
        summary=f"{_NAME} ignores the image.",
        description="Mean dependency of tokens was near zero for five steps.",
        dashboard="vppo-signal",
        runbook=(
            "Spotlight on the page of the job: are the images there, and is the question about "
            "them?",
            "Signal: share of answers with a mask. 0: prompts have no image, or too few pixels.",
        ),
    ),
    Alert(
        name="VppoLogProbMismatch",
        expression=_for_steps("min_over_time", "rollout_logprob_mismatch", "> 0.1"),
        severity=Severity.WARNING,
        summary=f"Rollout and learner of {_NAME} disagree.",
        description="Mean difference of log-probabilities above {{ $value | humanize }} nats for "
        "five steps: gradients are biased.",
        dashboard=_PAGE,
        runbook=(
            "Rollout: do all replicas have the newest weights?",
            "Another dtype, quantisation or attention in one of the engines?",
            "Schedule overlap: a smaller bound on staleness.",
        ),
    ),
    Alert(
        name="VppoEntropyOutOfRange",
        expression=f"{_for_steps('max_over_time', 'entropy_mean', '< 0.01')} or "
        f"{_for_steps('min_over_time', 'entropy_mean', '> 5')}",
        severity=Severity.INFO,
        summary=f"The entropy of {_NAME} left its range.",
        description="{{ $value | humanize }} nats; below 0.01 the policy says one thing only, "
        "above 5 it says anything.",
        dashboard=_PAGE,
        runbook=(
            "Below: a smaller learning rate, a penalty on entropy, a higher upper clip.",
            "Above: a smaller learning rate; go back to the last good checkpoint.",
        ),
    ),
)
