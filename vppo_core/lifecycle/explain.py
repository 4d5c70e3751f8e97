"""Why a job waits, or what it is doing, in one sentence."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from vppo_core.lifecycle.attempts import recorded_attempts
from vppo_core.lifecycle.failures import RULES, backoff_seconds, failures_in_a_row, retry_time
from vppo_core.lifecycle.observed import AttemptState, Observed, QueueState
from vppo_core.lifecycle.wording import clock, ending, holders, sentence, span, steps
from vppo_core.spec.status import (
    AttemptStatus,
    Condition,
    ConditionStatus,
    ConditionType,
    FailureClass,
    JobPhase,
    Progress,
)

QUIET_SECONDS: Final = 600.0
"""A driver that says nothing for so long, and for five of its steps, makes no progress."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One fact behind the sentence."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A sentence, the facts behind it, and what may be done."""

    sentence: str
    causes: tuple[Cause, ...] = ()
    hint: str = ""


def explain(observed: Observed) -> Explanation:
    """What the job does or waits for, by the status written last and the facts of now."""
    found = _BY_PHASE[observed.status.phase](observed)
    if observed.deletion_requested is None or observed.status.phase.is_final:
        return found
    deleted = Cause(reason="Deleted", message="Its deletion is asked for; the record stays.")
    return Explanation(
        sentence=found.sentence, causes=(*found.causes, deleted), hint="It ends by itself."
    )


def explain_waiting(queue: QueueState) -> Explanation:
    """What a job waits for that may start but for its queue; the sentence does not age."""
    place = queue.status
    if queue.trouble:
        return Explanation(
            sentence=sentence(queue.trouble),
            causes=(Cause(reason=place.reason or "Unschedulable", message=queue.trouble),),
            hint="Ask who runs the platform, or submit a clone with another scheduling.queue.",
        )
    needs = queue.needs or (f"the pool '{place.pool}'" if place.pool else "its turn")
    text = f"Waiting for {needs}" + (f", {queue.free} free" if queue.free else "")
    rest, cure = [], ""
    if queue.blockers:
        held, them = holders(queue.blockers)
        rest.append(held)
        cure = f"wait for {them}"
    if place.position:
        queue_name = f" (queue '{place.name}')" if place.name else ""
        rest.append(f"position {place.position}{queue_name}")
    if place.position > 1:
        cure = f"raise priority or {cure or 'wait'}"
    parts = [part for part in (*rest, cure) if part]
    return Explanation(
        sentence=f"{text}: {'; '.join(parts)}." if parts else f"{text}.",
        causes=_queue_causes(queue),
        hint=sentence(cure) if cure else "",
    )


def explain_retrying(uid: str, attempts: Sequence[AttemptStatus]) -> Explanation:
    """What went wrong and when the next attempt starts; the sentence does not age."""
    last, until = attempts[-1], retry_time(uid, attempts)
    if until is None:
        return Explanation(sentence=f"Attempt {last.index} is over; the next one may start now.")
    wait = span(backoff_seconds(uid, failures_in_a_row(attempts)))
    return Explanation(
        sentence=sentence(
            f"{ending(last)}; attempt {last.index + 1} starts after a wait of {wait}, "
            f"at {clock(until)}"
        ),
        causes=_failure_causes(last),
        hint=RULES[last.failure_class].hint if last.failure_class else "",
    )


def quiet_time(progress: Progress) -> datetime | None:
    """From when on a driver that still says nothing new makes no progress."""
    if progress.updated is None:
        return None
    patience = max(QUIET_SECONDS, 5.0 * sum(progress.stage_seconds.values()))
    return progress.updated + timedelta(seconds=patience)


def _pending(_: Observed) -> Explanation:
    return Explanation(sentence="The job is accepted and will be looked at in a moment.")


def _queued(observed: Observed) -> Explanation:
    if observed.queue.is_admitted:
        return Explanation(sentence="It is the job's turn; its attempt starts in a moment.")
    return explain_waiting(observed.queue)


def _starting(observed: Observed) -> Explanation:
    attempt = _last(observed)
    if attempt is None:
        return Explanation(sentence="The first attempt starts in a moment.")
    age = span((observed.now - attempt.record.created).total_seconds())
    stage = observed.progress.stage if observed.progress else ""
    doing = f"stage '{stage}'" if stage else "its driver has not said a word yet"
    return Explanation(
        sentence=f"Attempt {attempt.record.index} has been starting for {age}: {doing}.",
        causes=(Cause(reason="Starting", message="Processes start and load the model."),),
        hint="Models of many gigabytes take minutes; the log shows what is being loaded.",
    )


def _running(observed: Observed) -> Explanation:
    progress = observed.progress or observed.status.progress
    quiet = quiet_time(progress)
    stage = f", stage '{progress.stage}'" if progress.stage else ""
    if progress.updated is None or quiet is None:
        return Explanation(sentence=f"Training: {steps(progress)}{stage}.")
    age = span((observed.now - progress.updated).total_seconds())
    if observed.now >= quiet:
        return Explanation(
            sentence=f"No progress for {age}: {steps(progress)}{stage}.",
            causes=(
                Cause(reason="NoProgress", message=f"Last word at {clock(progress.updated)}."),
            ),
            hint="Look at the log; pausing and resuming starts it again from its checkpoint.",
        )
    eta = progress.eta_seconds
    left = f"; about {span(eta)} left" if eta is not None else ""
    return Explanation(sentence=f"Training: {steps(progress)}{stage}; last word {age} ago{left}.")


def _stopping(observed: Observed) -> Explanation:
    attempt = _last(observed)
    if attempt is None or not attempt.is_live:
        return Explanation(sentence="The attempt has ended; what follows is decided in a moment.")
    index = attempt.record.index
    since = attempt.stop_requested
    if since is None:
        return Explanation(sentence=f"Attempt {index} is asked to stop.")
    until = since + timedelta(seconds=observed.spec.scheduling.stop_grace_seconds)
    why = f" ({attempt.stop_reason})" if attempt.stop_reason else ""
    return Explanation(
        sentence=f"Attempt {index} finishes its step and saves{why}; it is ended by force "
        f"at {clock(until)}.",
        causes=(Cause(reason="Stopping", message=f"Asked to stop at {clock(since)}."),),
    )


def _retrying(observed: Observed) -> Explanation:
    attempts = recorded_attempts(observed)
    return explain_retrying(observed.uid, attempts) if attempts else _queued(observed)


def _paused(observed: Observed) -> Explanation:
    checkpoint = observed.checkpoint or observed.status.checkpoint
    kept = (
        f"the checkpoint of step {checkpoint.step} is kept"
        if checkpoint
        else "there is no checkpoint, it would begin anew"
    )
    return Explanation(
        sentence=f"Paused at {steps(observed.status.progress)}; {kept}.",
        causes=_condition_causes(observed, ConditionType.PAUSED),
        hint="Resume it to go on.",
    )


def _succeeded(observed: Observed) -> Explanation:
    count = observed.status.attempt
    tries = "1 attempt" if count == 1 else f"{count} attempts"
    return Explanation(
        sentence=f"Succeeded at {steps(observed.status.progress)} in {tries}.",
        causes=_condition_causes(observed, ConditionType.SUCCEEDED),
    )


def _failed(observed: Observed) -> Explanation:
    condition = _condition(observed, ConditionType.FAILED)
    if condition is None:
        return Explanation(sentence="Failed.")
    known = {one.value: one for one in FailureClass}.get(condition.reason)
    return Explanation(
        sentence=sentence(f"Failed ({condition.reason}): {condition.message}"),
        causes=_condition_causes(observed, ConditionType.FAILED),
        hint=RULES[known].hint if known else "",
    )


def _cancelled(observed: Observed) -> Explanation:
    return Explanation(
        sentence=f"Cancelled at {steps(observed.status.progress)}.",
        causes=_condition_causes(observed, ConditionType.FINISHED),
        hint="Cancelled is final; submit a clone to run it again.",
    )


_BY_PHASE: Final[Mapping[JobPhase, Callable[[Observed], Explanation]]] = {
    JobPhase.PENDING: _pending,
    JobPhase.QUEUED: _queued,
    JobPhase.STARTING: _starting,
    JobPhase.RUNNING: _running,
    JobPhase.STOPPING: _stopping,
    JobPhase.RETRYING: _retrying,
    JobPhase.PAUSED: _paused,
    JobPhase.SUCCEEDED: _succeeded,
    JobPhase.FAILED: _failed,
    JobPhase.CANCELLED: _cancelled,
}


def _last(observed: Observed) -> AttemptState | None:
    return max(observed.attempts, key=lambda state: state.record.index, default=None)


def _queue_causes(queue: QueueState) -> tuple[Cause, ...]:
    reason = queue.status.reason or "WaitingForQuota"
    return tuple(
        Cause(reason=reason, message=f"Job {name} holds {queue.needs or 'what it needs'}.")
        for name in queue.blockers
    )


def _failure_causes(attempt: AttemptStatus) -> tuple[Cause, ...]:
    if attempt.failure_class is None:
        return ()
    return (Cause(reason=attempt.failure_class.value, message=attempt.message),)


def _condition(observed: Observed, kind: ConditionType) -> Condition | None:
    return next((one for one in observed.status.conditions if one.type is kind), None)


def _condition_causes(observed: Observed, kind: ConditionType) -> tuple[Cause, ...]:
    condition = _condition(observed, kind)
    if condition is None or condition.status is not ConditionStatus.TRUE:
        return ()
    return (Cause(reason=condition.reason, message=condition.message),)
