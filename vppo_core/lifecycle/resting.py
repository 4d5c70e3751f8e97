"""Nothing of an attempt is there: the job is at its end, at rest, or due for its next attempt."""

from dataclasses import replace
from datetime import datetime

from vppo_core.lifecycle.actions import StartAttempt
from vppo_core.lifecycle.attempts import can_halve, never_started, new_attempt
from vppo_core.lifecycle.course import Course
from vppo_core.lifecycle.deadlines import deadlines, reached
from vppo_core.lifecycle.failures import may_retry, ran_out_of_memory, retry_time
from vppo_core.lifecycle.observed import Observed
from vppo_core.lifecycle.wording import ending, sentence
from vppo_core.spec.scheduling import DesiredState
from vppo_core.spec.status import AttemptStatus, FailureClass, JobPhase, Outcome

Attempts = tuple[AttemptStatus, ...]


def without_attempt(observed: Observed, attempts: Attempts) -> Course:
    """Nothing lives: the job is at an end, at rest, or due for its next attempt."""
    rest = _end(observed, attempts) or _rest(observed, attempts) or _failure(observed, attempts)
    if rest is None:
        return _next_attempt(observed, attempts)
    if attempts and attempts[-1].ended is None:
        closed = never_started(attempts[-1], observed.now)
        return replace(rest, attempts=(*attempts[:-1], closed))
    return rest


def _end(observed: Observed, attempts: Attempts) -> Course | None:
    """What nothing that is wanted can change: success, deletion, cancellation."""
    last = attempts[-1] if attempts else None
    if last is not None and last.outcome is Outcome.SUCCEEDED:
        message = f"All {last.last_step} steps are done."
        return Course(phase=JobPhase.SUCCEEDED, attempts=attempts, message=message)
    if observed.deletion_requested is not None:
        message = "The job was deleted before its end."
        return Course(phase=JobPhase.CANCELLED, attempts=attempts, message=message)
    if observed.spec.desired_state is DesiredState.CANCELLED:
        return Course(phase=JobPhase.CANCELLED, attempts=attempts, message="It was cancelled.")
    return None


def _rest(observed: Observed, attempts: Attempts) -> Course | None:
    if observed.spec.desired_state is DesiredState.PAUSED:
        return Course(phase=JobPhase.PAUSED, attempts=attempts)
    return None


def _failure(observed: Observed, attempts: Attempts) -> Course | None:
    """Why there is no next attempt: its budget, its failure class, a deadline."""
    spec, last = observed.spec, attempts[-1] if attempts else None
    budget = spec.scheduling.max_attempts
    over = reached(deadlines(observed, attempts), observed.now)
    is_wanted = may_retry(attempts, max_attempts=budget, can_halve=can_halve(spec))
    reason = (last and last.failure_class) or FailureClass.APP_FAILED
    if last is not None and not is_wanted and reason is not FailureClass.DEADLINE:
        is_spent = sum(one.charged for one in attempts) >= budget
        spent = f" (scheduling.maxAttempts {budget} is used up)" if is_spent else ""
        message = sentence(f"{ending(last)}{spent}: {last.message or 'it left no word'}")
    elif over is not None or not is_wanted:
        reason = FailureClass.DEADLINE
        message = over.sentence() if over else "A deadline was over before it stopped."
    else:
        return None
    return Course(phase=JobPhase.FAILED, attempts=attempts, reason=reason.value, message=message)


def _next_attempt(observed: Observed, attempts: Attempts) -> Course:
    is_open = bool(attempts) and attempts[-1].ended is None
    pending = tuple(limit.time for limit in deadlines(observed, attempts))
    until = retry_time(observed.uid, attempts)
    if until is not None and _is_waiting(attempts[-1], until, observed.now):
        look_again = (until, *pending)
        return Course(phase=JobPhase.RETRYING, attempts=attempts, look_again=look_again)
    if not observed.queue.is_admitted:
        return Course(phase=JobPhase.QUEUED, attempts=attempts, look_again=pending)
    if not is_open:
        attempts = (*attempts, new_attempt(observed, attempts[-1].index + 1 if attempts else 1))
    start = StartAttempt(
        index=attempts[-1].index,
        resume=len(attempts) > 1 or observed.checkpoint is not None,
        halve_micro_batch=ran_out_of_memory(attempts) > 0,
    )
    return Course(
        phase=JobPhase.STARTING,
        attempts=attempts,
        actions=(start,),
        look_again=tuple(limit.time for limit in deadlines(observed, attempts)),
    )


def _is_waiting(last: AttemptStatus, until: datetime, now: datetime) -> bool:
    """Whether the back-off is on; a clock that went back ends it, rather than making it endless."""
    return last.ended is not None and last.ended <= now < until
