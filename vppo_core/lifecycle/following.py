"""An attempt lives: follow it, ask it to stop, or end it."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from vppo_core.lifecycle.actions import Action, DeleteAttempt, RequestStop
from vppo_core.lifecycle.course import Course
from vppo_core.lifecycle.deadlines import deadlines, reached
from vppo_core.lifecycle.explain import quiet_time
from vppo_core.lifecycle.observed import AttemptState, Observed
from vppo_core.spec.scheduling import DesiredState
from vppo_core.spec.status import AttemptStatus, FailureClass, JobPhase


def with_attempt(
    observed: Observed, attempts: tuple[AttemptStatus, ...], state: AttemptState
) -> Course:
    """The last attempt lives: follow it, or bring it to its end."""
    ended = attempts[-1].ended or state.record.ended
    if ended is not None:
        return _lingering(observed, attempts, state, ended)
    limits = deadlines(observed, attempts)
    over = reached(limits, observed.now)
    reason = _reason_to_stop(observed, is_late=over is not None) or state.stop_reason
    if reason or state.stop_requested is not None:
        message = over.sentence() if over and reason == FailureClass.DEADLINE.value else ""
        return _stopping(observed, attempts, state, reason=reason or "Paused", message=message)
    quiet = quiet_time(observed.progress) if observed.progress else None
    return Course(
        phase=_phase(observed, attempts[-1]),
        attempts=attempts,
        is_live=True,
        look_again=(*(limit.time for limit in limits), *([quiet] if quiet else [])),
    )


def _phase(observed: Observed, attempt: AttemptStatus) -> JobPhase:
    if attempt.started:
        return JobPhase.RUNNING
    # On a cluster an attempt exists, and waits for quota and nodes.
    return JobPhase.STARTING if observed.queue.is_admitted else JobPhase.QUEUED


def _reason_to_stop(observed: Observed, *, is_late: bool) -> str:
    if observed.deletion_requested is not None:
        return "Deleted"
    if observed.spec.desired_state is not DesiredState.RUNNING:
        return observed.spec.desired_state.value
    return FailureClass.DEADLINE.value if is_late else ""


def _stopping(
    observed: Observed,
    attempts: tuple[AttemptStatus, ...],
    state: AttemptState,
    *,
    reason: str,
    message: str,
) -> Course:
    index, asked = state.record.index, state.stop_requested or observed.now
    deadline = asked + _grace(observed)
    action: Action = RequestStop(index=index, reason=reason, deadline=deadline)
    if observed.now >= deadline:
        action = DeleteAttempt(index=index, reason=reason)
    return Course(
        phase=JobPhase.STOPPING,
        attempts=attempts,
        actions=(action,),
        reason=reason,
        message=message or f"Attempt {index} is asked to stop ({reason}).",
        is_live=True,
        look_again=(deadline,),
    )


def _lingering(
    observed: Observed, attempts: tuple[AttemptStatus, ...], state: AttemptState, ended: datetime
) -> Course:
    """It said its last word and is still there: it has the grace of a stop to go."""
    deadline = ended + _grace(observed)
    is_over = observed.now >= deadline
    return Course(
        phase=observed.status.phase,
        attempts=attempts,
        actions=delete([state], "Lingering") if is_over else (),
        is_live=True,
        look_again=(deadline,),
    )


def _grace(observed: Observed) -> timedelta:
    return timedelta(seconds=observed.spec.scheduling.stop_grace_seconds)


def delete(states: Sequence[AttemptState], reason: str) -> tuple[Action, ...]:
    """Ends attempts by force; no action where there are none."""
    return tuple(DeleteAttempt(index=one.record.index, reason=reason) for one in states)
