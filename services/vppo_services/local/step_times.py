"""How long a step takes, as finished jobs of the same kind show. Pure."""

from collections.abc import Iterable
from statistics import median

from vppo_core.archive.records import JobRecord
from vppo_core.spec.job import VPPOJobSpec
from vppo_core.spec.status import AttemptStatus, VPPOJobStatus


def typical_seconds(spec: VPPOJobSpec, finished: Iterable[JobRecord]) -> float | None:
    """Median step time of jobs with the same model and rollout size; None without any."""
    model = spec.model.source
    times = [
        seconds
        for record in finished
        # The text first: most records are of other models, and parsing costs more.
        if model in record.spec_json and _is_alike(spec, record.spec)
        if (seconds := step_seconds(record.status)) is not None
    ]
    return median(times) if times else None


def step_seconds(status: VPPOJobStatus) -> float | None:
    """Mean seconds of a step over a job's attempts; None when no step is known."""
    # The clock of an attempt starts with the report of its first step.
    measured = [(_seconds(one), one.last_step - one.first_step - 1) for one in status.attempts]
    known = [(seconds, steps) for seconds, steps in measured if seconds is not None and steps > 0]
    total = sum(steps for _, steps in known)
    if total:
        return sum(seconds for seconds, _ in known) / total
    return sum(status.progress.stage_seconds.values()) or None


def _is_alike(one: VPPOJobSpec, other: VPPOJobSpec) -> bool:
    return _size(one) == _size(other)


def _size(spec: VPPOJobSpec) -> tuple[str, int, int, int, int]:
    rollout = spec.rollout
    return (
        spec.model.source,
        rollout.prompts_per_step,
        rollout.group_size,
        rollout.max_response_tokens,
        spec.placement.rollout.gpus,
    )


def _seconds(attempt: AttemptStatus) -> float | None:
    if attempt.ended is None or attempt.started is None:
        return None
    return max(0.0, (attempt.ended - attempt.started).total_seconds())
