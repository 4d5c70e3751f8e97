"""What `decide` settled on, turned into the status: phase, conditions, progress, usage."""

import re
from dataclasses import dataclass
from datetime import UTC
from typing import Final

from vppo_core.lifecycle.course import Course
from vppo_core.lifecycle.deadlines import RESUMED
from vppo_core.lifecycle.explain import explain_retrying, explain_waiting, quiet_time
from vppo_core.lifecycle.ledger import never_less, usage_of
from vppo_core.lifecycle.observed import Observed
from vppo_core.lifecycle.wording import clock
from vppo_core.spec.hashing import spec_hash
from vppo_core.spec.status import (
    MAX_ATTEMPTS_SHOWN,
    Condition,
    ConditionStatus,
    ConditionType,
    JobPhase,
    Progress,
    QueueStatus,
    UsageStatus,
    VPPOJobStatus,
)

MESSAGE_CHARACTERS: Final = 1024
TWO_ATTEMPTS: Final = "TwoAttempts"


@dataclass(frozen=True, slots=True)
class _Statement:
    """A condition without its times."""

    type: ConditionType
    status: bool
    reason: str
    message: str = ""


def status_after(observed: Observed, course: Course) -> VPPOJobStatus:
    """The status to record; equal to the one before when nothing happened."""
    before = observed.status
    known = before.observed_generation == observed.generation and before.spec_hash
    attempts = course.attempts
    changes = {
        "phase": course.phase,
        "observed_generation": observed.generation,
        "spec_hash": before.spec_hash if known else spec_hash(observed.spec),
        "attempt": attempts[-1].index if attempts else 0,
        "attempts": attempts[-MAX_ATTEMPTS_SHOWN:],
        "usage": _usage(observed, course),
    }
    if not before.phase.is_final:
        changes |= {
            "conditions": _conditions(observed, course),
            "progress": _progress(observed, course),
            "checkpoint": observed.checkpoint,
            "queue": _queue(observed, course),
        }
    return before.model_copy(update=changes)


def condition(status: VPPOJobStatus, kind: ConditionType) -> Condition | None:
    """The status' statement about something, if it makes one."""
    return next((one for one in status.conditions if one.type is kind), None)


def _usage(observed: Observed, course: Course) -> UsageStatus:
    now = observed.now.astimezone(UTC)
    # To the minute: a status that changes with every look would be a hot loop.
    told = now.replace(second=0, microsecond=0)
    usage = never_less(usage_of(course.attempts, told), observed.status.usage)
    gpus = course.attempts[-1].gpus if course.is_live else 0
    return usage.model_copy(update={"gpus": gpus})


def _progress(observed: Observed, course: Course) -> Progress:
    known = observed.status.progress
    progress = observed.progress or known
    total = progress.total_steps or known.total_steps  # a driver that only starts says nothing
    if not progress.display and total:
        told = {"total_steps": total, "display": f"{progress.step}/{total}"}
        progress = progress.model_copy(update=told)
    if course.is_live:
        return progress
    return progress.model_copy(update={"stage": "", "eta_seconds": None})


def _queue(observed: Observed, course: Course) -> QueueStatus:
    place = observed.queue.status
    if course.phase is JobPhase.QUEUED:
        return place
    return place.model_copy(update={"position": 0})


def _conditions(observed: Observed, course: Course) -> tuple[Condition, ...]:
    statements = [
        _Statement(ConditionType.ACCEPTED, True, "Valid"),
        _queued(observed, course),
        _cluster_ready(observed, course),
        _running(observed, course),
        _paused(observed, course),
        *_ends(course),
    ]
    return tuple(_dated(statement, observed) for statement in statements)


def _dated(statement: _Statement, observed: Observed) -> Condition:
    """The condition; the time of its last transition is kept while its status stays."""
    before = condition(observed.status, statement.type)
    status = ConditionStatus.TRUE if statement.status else ConditionStatus.FALSE
    stays = before is not None and before.status is status
    return Condition(
        type=statement.type,
        status=status,
        reason=statement.reason,
        message=statement.message[:MESSAGE_CHARACTERS],
        last_transition_time=before.last_transition_time if before and stays else observed.now,
        observed_generation=observed.generation,
    )


def _queued(observed: Observed, course: Course) -> _Statement:
    kind = ConditionType.QUEUED
    if course.phase is JobPhase.QUEUED:
        reason = observed.queue.status.reason
        known = reason if re.fullmatch(r"[A-Za-z][A-Za-z0-9]{0,63}", reason) else ""
        sentence = explain_waiting(observed.queue).sentence
        return _Statement(kind, True, known or "WaitingForQuota", sentence)
    if course.phase is JobPhase.RETRYING:
        sentence = explain_retrying(observed.uid, course.attempts).sentence
        return _Statement(kind, False, "BackingOff", sentence)
    if course.is_live or course.phase is JobPhase.STARTING:
        return _Statement(kind, False, "Admitted")
    return _Statement(kind, False, "NotWaiting")


def _cluster_ready(observed: Observed, course: Course) -> _Statement:
    kind = ConditionType.CLUSTER_READY
    if course.is_live and course.phase is JobPhase.QUEUED:
        return _Statement(kind, False, "Provisioning")
    if course.is_live:
        progress = observed.progress
        is_ready = progress is not None and progress.stage not in ("", "starting")
        is_ready = is_ready or course.attempts[-1].started is not None
        return _Statement(kind, is_ready, "Ready" if is_ready else "Provisioning")
    if course.phase is JobPhase.STARTING:
        return _Statement(kind, False, "Provisioning")
    return _Statement(kind, False, "Gone" if course.attempts else "NotStarted")


def _running(observed: Observed, course: Course) -> _Statement:
    kind = ConditionType.RUNNING
    has_stepped = course.is_live and course.attempts[-1].started is not None
    if course.is_doubled:
        return _Statement(kind, has_stepped, TWO_ATTEMPTS, "An earlier attempt is ended first.")
    match course.phase:
        case JobPhase.STARTING:
            return _Statement(kind, False, "Starting")
        case JobPhase.STOPPING:
            return _Statement(kind, has_stepped, "Stopping", course.message)
        case JobPhase.RUNNING:
            quiet = quiet_time(_progress(observed, course))
            updated = observed.progress.updated if observed.progress else None
            if quiet is None or updated is None or observed.now < quiet:
                return _Statement(kind, True, "Training")
            message = f"The driver said its last word at {clock(updated)}."
            return _Statement(kind, True, "NoProgress", message)
        case _:
            return _Statement(kind, has_stepped, "NoAttempt")


def _paused(observed: Observed, course: Course) -> _Statement:
    kind = ConditionType.PAUSED
    before = condition(observed.status, kind)
    if course.phase is JobPhase.PAUSED:
        saved = observed.checkpoint
        if saved is None:
            return _Statement(kind, True, "NoCheckpoint", "It would begin anew.")
        message = f"The checkpoint of step {saved.step} is kept."
        return _Statement(kind, True, "CheckpointSaved", message)
    was_paused = before is not None and (
        before.status is ConditionStatus.TRUE or before.reason == RESUMED
    )
    return _Statement(kind, False, RESUMED if was_paused else "NotPaused")


def _ends(course: Course) -> list[_Statement]:
    succeeded, failed, finished = (
        ConditionType.SUCCEEDED,
        ConditionType.FAILED,
        ConditionType.FINISHED,
    )
    if not course.phase.is_final:
        return []
    end, message = course.phase.value, course.message
    match course.phase:
        case JobPhase.SUCCEEDED:
            ends = [(succeeded, True, "Completed"), (failed, False, "Completed")]
        case JobPhase.FAILED:
            ends = [(succeeded, False, course.reason), (failed, True, course.reason)]
        case _:
            ends = [(succeeded, False, "Cancelled"), (failed, False, "Cancelled")]
    return [_Statement(*one, message) for one in [*ends, (finished, True, end)]]
