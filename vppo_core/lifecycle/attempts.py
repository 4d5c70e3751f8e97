"""Attempts as they are to be recorded: what was known, what is seen, what follows when one ends."""

from collections.abc import Sequence
from datetime import datetime

from vppo_core.lifecycle.failures import classify, is_charged, lost_too_many_nodes
from vppo_core.lifecycle.observed import AttemptState, Observed
from vppo_core.spec.job import VPPOJobSpec
from vppo_core.spec.placement import PlacementSpec
from vppo_core.spec.status import AttemptStatus, FailureClass, Outcome

MESSAGE_CHARACTERS = 1024


def recorded_attempts(observed: Observed) -> tuple[AttemptStatus, ...]:
    """Every attempt, oldest first; those that are gone have their end, class and charge.

    A launched attempt that is gone without a word is lost. One that was never launched stays open:
    it may be started yet.
    """
    before = {one.index: one for one in observed.status.attempts}
    states = _states(observed)
    attempts: list[AttemptStatus] = []
    for state in states:
        known = before.get(state.record.index)
        if known is not None and known.ended is not None:
            attempts.append(known)  # the books of an ended attempt are closed
            continue
        is_last = state is states[-1]
        record = _merged(known, state.record)
        if is_last and state.is_launched:
            record = _seen(record, observed)
        was_closed = known is None and record.index <= observed.status.attempt and record.ended
        was_there = state.is_launched or record.outcome is not None
        if state.is_live and not was_closed:
            record = _with(record, ended=None, outcome=None, failure_class=None)
            record = _in_line(record, observed) if is_last else record
        elif was_there and not was_closed:
            record = _ended(record, state, attempts, now=observed.now, is_last=is_last)
        elif not is_last and record.ended is None:
            record = never_started(record, observed.now)
        attempts.append(record)
    return tuple(attempts)


def new_attempt(observed: Observed, index: int) -> AttemptStatus:
    """An attempt that is about to be started from the newest checkpoint."""
    step = observed.checkpoint.step if observed.checkpoint else 0
    return AttemptStatus(
        index=index,
        created=observed.now,
        first_step=step,
        last_step=step,
        checkpoint_step=step,
        gpus=gpus_of(observed.spec.placement),
    )


def never_started(attempt: AttemptStatus, now: datetime) -> AttemptStatus:
    """An attempt that was decided on and is not wanted any more."""
    return _with(attempt, ended=now, outcome=Outcome.STOPPED, message="It was never started.")


def gpus_of(placement: PlacementSpec) -> int:
    """GPUs of all roles."""
    pools = (placement.rollout, placement.reward, placement.dependency, placement.learner)
    return sum(pool.replicas * pool.gpus for pool in pools)


def can_halve(spec: VPPOJobSpec) -> bool:
    """Whether a smaller micro-batch is a job that the spec allows."""
    return spec.learner.max_tokens_per_micro_batch >= 2


def has_reported_a_step(attempts: Sequence[AttemptStatus]) -> bool:
    """Whether any attempt ever finished a step."""
    return any(one.started is not None or one.last_step > one.first_step for one in attempts)


def _states(observed: Observed) -> list[AttemptState]:
    """What is seen of each attempt; one that only the status knows of was never launched."""
    found = {state.record.index: state for state in observed.attempts}
    for one in observed.status.attempts:
        unseen = AttemptState(record=one, is_launched=False, is_live=False)
        found.setdefault(one.index, unseen)
    return [found[index] for index in sorted(found)]


def _merged(known: AttemptStatus | None, record: AttemptStatus) -> AttemptStatus:
    """The new record, where it is silent the old one: nothing that was known is forgotten."""
    if known is None:
        return record
    # The launcher hears from the driver where it really started; a guess stood there before.
    # No step was taken yet: the known ones stand for where it was expected to start.
    is_guess = known.started is None and known.last_step == known.first_step
    return _with(
        record,
        created=known.created,
        started=known.started or record.started,
        waiting=known.waiting,
        admitted=known.admitted,
        message=record.message or known.message,
        exit_code=known.exit_code if record.exit_code is None else record.exit_code,
        outcome=record.outcome or known.outcome,
        failure_class=record.failure_class or known.failure_class,
        last_step=record.last_step if is_guess else max(record.last_step, known.last_step),
        checkpoint_step=max(record.checkpoint_step, 0 if is_guess else known.checkpoint_step),
        gpus=record.gpus or known.gpus,
    )


def _in_line(record: AttemptStatus, observed: Observed) -> AttemptStatus:
    """Whether a live attempt still waits for its machines, and when it got them."""
    waits = record.started is None and not observed.queue.is_admitted
    if waits == record.waiting:
        return record
    return _with(record, waiting=waits, admitted=None if waits else observed.now)


def _seen(record: AttemptStatus, observed: Observed) -> AttemptStatus:
    """The last attempt's record with what its driver and its checkpoints say."""
    progress, checkpoint = observed.progress, observed.checkpoint
    saved = record.checkpoint_step
    if checkpoint is not None and checkpoint.created >= record.created:
        saved = max(saved, checkpoint.step)
    step = max(record.last_step, progress.step if progress else 0, saved)
    started = record.started
    if started is None and step > record.first_step:
        said = progress.updated if progress and progress.updated else observed.now
        started = max(min(said, observed.now), record.created)
    return _with(record, started=started, last_step=step, checkpoint_step=saved)


def _ended(
    record: AttemptStatus,
    state: AttemptState,
    earlier: Sequence[AttemptStatus],
    *,
    now: datetime,
    is_last: bool,
) -> AttemptStatus:
    """The closed record of an attempt of which nothing is left."""
    ended = max(min(record.ended or now, now), record.created)
    was_asked = state.stop_requested is not None
    outcome, failure, message = record.outcome, record.failure_class, record.message
    if outcome is None:
        is_ours = was_asked or not is_last
        outcome = Outcome.STOPPED if is_ours else Outcome.LOST
        message = message or ("It was ended by force." if is_ours else "It vanished silently.")
    if outcome in (Outcome.SUCCEEDED, Outcome.STOPPED):
        failure = None
    elif outcome is Outcome.LOST:
        failure = failure or FailureClass.NODE_LOST
    elif failure is None:
        failure = classify(
            exit_code=record.exit_code,
            failure_class="",
            message=message,
            was_launched=state.is_launched,
        )
    if outcome is not Outcome.SUCCEEDED and state.stop_reason == "Deadline":
        failure = FailureClass.DEADLINE
    charged = failure is not None and is_charged(failure)
    if failure is FailureClass.NODE_LOST:
        charged = lost_too_many_nodes(earlier, ended)
    if not is_last or (was_asked and failure is not FailureClass.DEADLINE):
        charged = False  # it did not have the time that it was promised
    charged = charged or record.charged
    return _with(
        record,
        ended=ended,
        outcome=outcome,
        failure_class=failure,
        message=message[:MESSAGE_CHARACTERS],
        charged=charged,
    )


def _with(attempt: AttemptStatus, **changes: object) -> AttemptStatus:
    return attempt.model_copy(update=changes)
