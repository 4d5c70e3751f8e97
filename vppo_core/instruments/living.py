"""A job that is not over, as its series tell of it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from vppo_core.lifecycle.offers import gpus_by_pool
from vppo_core.lifecycle.phases import condition
from vppo_core.spec.job import VPPOJobSpec
from vppo_core.spec.platform import PlatformSpec
from vppo_core.spec.status import (
    AttemptStatus,
    ConditionStatus,
    ConditionType,
    JobPhase,
    VPPOJobStatus,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LivingJob:
    """What there is to show of one job."""

    phase: JobPhase
    since: datetime
    """When it came into its phase."""

    step: int
    total_steps: int
    step_mean_seconds: float | None
    progressed: datetime | None
    """When its last step was seen to end; None before the first."""

    checkpoint_step: int
    attempts: int
    live_attempts: int
    gpus: Mapping[str, int]
    """GPUs that it holds, by pool."""


def living_job(
    status: VPPOJobStatus,
    *,
    spec: VPPOJobSpec | None,
    platform: PlatformSpec,
    created: datetime,
    live_attempts: int,
    before: LivingJob | None,
    now: datetime,
) -> LivingJob:
    """The job now.

    Args:
        spec: what was asked for; None where nobody can read it.
        created: when the job was accepted.
        before: the same job as it was shown last.
    """
    step = status.progress.step
    return LivingJob(
        phase=status.phase,
        since=_since(status, created=created, before=before, now=now),
        step=step,
        total_steps=spec.learner.num_steps if spec else status.progress.total_steps,
        step_mean_seconds=_step_mean(status),
        progressed=_progressed(status, before),
        checkpoint_step=status.checkpoint.step if status.checkpoint else 0,
        attempts=status.attempt,
        live_attempts=live_attempts,
        gpus=gpus_by_pool(spec, platform) if spec and _holds(status) else {},
    )


def open_attempts(status: VPPOJobStatus) -> int:
    """Attempts that have not ended, by what is written down."""
    return sum(one.ended is None for one in status.attempts)


def _holds(status: VPPOJobStatus) -> bool:
    last = status.attempts[-1] if status.attempts else None
    return last is not None and last.ended is None and not last.waiting


def waiting_since(status: VPPOJobStatus) -> datetime | None:
    """When the job got into line; None for one that does not wait."""
    return _true_since(status, ConditionType.QUEUED)


def _since(
    status: VPPOJobStatus, *, created: datetime, before: LivingJob | None, now: datetime
) -> datetime:
    """From the status, so that a program that starts anew says the same."""
    last = status.attempts[-1] if status.attempts else None
    found: datetime | None = None
    match status.phase:
        case JobPhase.PENDING:
            found = created
        case JobPhase.QUEUED:
            found = waiting_since(status)
        case JobPhase.PAUSED:
            found = _true_since(status, ConditionType.PAUSED)
        case JobPhase.STARTING:
            found = _held_since(last)
        case JobPhase.RUNNING:
            found = last.started if last else None
        case JobPhase.RETRYING:
            found = last.ended if last else None
    if found is not None:
        return found
    return before.since if before is not None and before.phase is status.phase else now


def _held_since(attempt: AttemptStatus | None) -> datetime | None:
    return None if attempt is None else attempt.admitted or attempt.created


def _true_since(status: VPPOJobStatus, kind: ConditionType) -> datetime | None:
    found = condition(status, kind)
    is_true = found is not None and found.status is ConditionStatus.TRUE
    return found.last_transition_time if found and is_true else None


def _step_mean(status: VPPOJobStatus) -> float | None:
    """The driver says how long the rest will take, from the mean of its last steps."""
    progress = status.progress
    left = progress.total_steps - progress.step
    return progress.eta_seconds / left if progress.eta_seconds is not None and left > 0 else None


def _progressed(status: VPPOJobStatus, before: LivingJob | None) -> datetime | None:
    """The driver speaks at every stage of a step: its word counts when it tells of another step."""
    progress = status.progress
    if before is not None and before.step == progress.step:
        return before.progressed
    return progress.updated if progress.step else None
