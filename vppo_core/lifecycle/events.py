"""What is to be told of a change: one event for each transition, none while nothing changes."""

from collections.abc import Iterator, Sequence

from vppo_core.lifecycle.actions import JobEvent, StartAttempt
from vppo_core.lifecycle.course import Course
from vppo_core.lifecycle.observed import Observed
from vppo_core.lifecycle.phases import TWO_ATTEMPTS, condition
from vppo_core.lifecycle.wording import ending, sentence
from vppo_core.spec.status import (
    AttemptStatus,
    ConditionType,
    FailureClass,
    JobPhase,
    Outcome,
    VPPOJobStatus,
)

MESSAGE_CHARACTERS = 1024


def events_between(
    observed: Observed, course: Course, status: VPPOJobStatus
) -> tuple[JobEvent, ...]:
    """The events of a pass, in the order in which things happened."""
    return (
        *_ends_of_attempts(observed, course.attempts),
        *_doubled(observed, status, course),
        *_deadline(observed, course),
        *_phase(observed, course, status),
        *_starts_of_attempts(observed, course),
    )


def _ends_of_attempts(observed: Observed, attempts: Sequence[AttemptStatus]) -> Iterator[JobEvent]:
    before = observed.status
    open_before = {one.index for one in before.attempts if one.ended is None}
    for one in attempts:
        is_new = one.index in open_before or one.index > before.attempt
        if one.ended is not None and is_new:
            yield _end_of(one)


def _end_of(attempt: AttemptStatus) -> JobEvent:
    index, step = attempt.index, attempt.last_step
    match attempt.outcome:
        case Outcome.SUCCEEDED:
            return _normal("AttemptSucceeded", f"Attempt {index} finished at step {step}.")
        case Outcome.STOPPED:
            saved = f"saved up to step {attempt.checkpoint_step}"
            return _normal("AttemptStopped", f"Attempt {index} stopped at step {step}, {saved}.")
        case _:
            reason = "AttemptLost" if attempt.outcome is Outcome.LOST else "AttemptFailed"
            cost = "charged" if attempt.charged else "not charged"
            text = f"{ending(attempt)} at step {step}, {cost}: {attempt.message}"
            return _warning(reason, text)


def _doubled(observed: Observed, status: VPPOJobStatus, course: Course) -> Iterator[JobEvent]:
    if not course.is_doubled or observed.status.phase.is_final:
        return
    before, after = (condition(one, ConditionType.RUNNING) for one in (observed.status, status))
    was_told = before is not None and before.reason == TWO_ATTEMPTS
    if after is not None and after.reason == TWO_ATTEMPTS and not was_told:
        yield _warning(TWO_ATTEMPTS, "An earlier attempt lives beside the last one; it is ended.")


def _deadline(observed: Observed, course: Course) -> Iterator[JobEvent]:
    before = observed.status.phase
    is_new = before not in (course.phase, JobPhase.STOPPING)
    if course.reason == FailureClass.DEADLINE.value and is_new:
        yield _warning("DeadlineExceeded", course.message)


def _phase(observed: Observed, course: Course, status: VPPOJobStatus) -> Iterator[JobEvent]:
    before, after = observed.status.phase, course.phase
    if before is after:
        return
    if before is JobPhase.PAUSED and not after.is_final:
        yield _normal("Resumed", "The job goes on.")
    if after in (JobPhase.QUEUED, JobPhase.RETRYING):
        queued = condition(status, ConditionType.QUEUED)
        yield _normal(after.value, queued.message if queued else "")
    elif after is JobPhase.RUNNING:
        yield _normal("Running", f"Attempt {status.attempt} took its first step.")
    elif after is JobPhase.STOPPING:
        yield _normal("Stopping", course.message)
    elif after is JobPhase.PAUSED:
        paused = condition(status, ConditionType.PAUSED)
        yield _normal("Paused", f"The job is paused. {paused.message if paused else ''}")
    elif after is JobPhase.FAILED:
        yield _warning("Failed", f"{course.reason}: {course.message}")
    elif after.is_final:
        yield _normal(after.value, course.message)


def _starts_of_attempts(observed: Observed, course: Course) -> Iterator[JobEvent]:
    known = {one.record.index for one in observed.attempts}
    known |= {one.index for one in observed.status.attempts}
    for action in course.actions:
        if isinstance(action, StartAttempt) and action.index not in known:
            checkpoint = observed.checkpoint
            origin = f" from the checkpoint of step {checkpoint.step}" if checkpoint else ""
            half = ", with half of learner.maxTokensPerMicroBatch"
            text = f"Attempt {action.index} starts{origin}{half * action.halve_micro_batch}."
            yield _normal("AttemptStarted", text)


def _normal(reason: str, message: str) -> JobEvent:
    return JobEvent(kind="Normal", reason=reason, message=_short(message))


def _warning(reason: str, message: str) -> JobEvent:
    return JobEvent(kind="Warning", reason=reason, message=_short(message))


def _short(message: str) -> str:
    return sentence(message[: MESSAGE_CHARACTERS - 1])
