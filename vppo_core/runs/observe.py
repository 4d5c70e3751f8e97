"""What is known about a job at one moment: its record, and what files and processes say. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeGuard

from vppo_core.archive.records import CheckpointRecord, JobRecord
from vppo_core.lifecycle.attempts import MESSAGE_CHARACTERS
from vppo_core.lifecycle.failures import classify
from vppo_core.lifecycle.observed import AttemptState, Observed, QueueState
from vppo_core.redact import redact
from vppo_core.runs.files import ExitFile, ProgressFile
from vppo_core.runs.view import AttemptView, Verdict
from vppo_core.spec.status import (
    AttemptStatus,
    CheckpointStatus,
    FailureClass,
    Outcome,
    Progress,
)

_UNSURE: Final = ("", "Unknown", "RoleDied")
"""What a driver calls its end when it does not know the cause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFacts:
    """A job and everything that was read about it."""

    record: JobRecord
    attempts: tuple[tuple[AttemptStatus, AttemptView | None], ...]
    """What is recorded, and what is seen; nobody looks at an attempt that ended long ago."""

    checkpoints: tuple[CheckpointRecord, ...]
    """Those that exist, oldest first."""


def observed(facts: JobFacts, queue: QueueState, *, now: datetime) -> Observed:
    """What `decide` and `explain` look at."""
    record = facts.record
    last = facts.attempts[-1][1] if facts.attempts else None
    checkpoint = newest(facts.checkpoints)
    resumes = 0 if checkpoint is None else checkpoint.step
    return Observed(
        uid=record.uid,
        name=record.name,
        spec=record.spec,
        generation=record.generation,
        created=record.created,
        deletion_requested=record.deletion_requested,
        is_archived=record.phase.is_final,  # the row is the archive
        attempts=tuple(_state(known, view, now=now) for known, view in facts.attempts),
        queue=queue,
        progress=progress_of(last.progress, last.exit, resumes=resumes)
        if last and last.progress
        else None,
        checkpoint=checkpoint,
        status=record.status,
        now=now,
    )


def newest(checkpoints: Sequence[CheckpointRecord]) -> CheckpointStatus | None:
    """The checkpoint that a new attempt would go on from."""
    if not checkpoints:
        return None
    last = max(checkpoints, key=lambda one: one.step)
    return CheckpointStatus(step=last.step, uri=last.uri, created=last.created)


def progress_of(
    file: ProgressFile, report: ExitFile | None = None, *, resumes: int = 0
) -> Progress:
    """What the driver said, with the time that is left; its report may know of a later step.

    Args:
        resumes: step of the checkpoint that it goes on from, which holds until it has looked.
    """
    known = resumes if file.first_step is None else 0
    step = max(file.step, known, (report and report.last_step) or 0)
    left = max(0, file.total_steps - step)
    return Progress(
        step=step,
        total_steps=file.total_steps,
        display=f"{step}/{file.total_steps}" if file.total_steps else "",
        stage=file.stage[:253],
        eta_seconds=None if file.step_seconds is None else file.step_seconds * left,
        stage_seconds=file.stage_seconds,
        updated=file.time,
    )


def _state(known: AttemptStatus, view: AttemptView | None, *, now: datetime) -> AttemptState:
    if view is None:
        return AttemptState(record=known, is_launched=True, is_live=False)
    return AttemptState(
        record=attempt_record(known, view, now=now),
        is_launched=view.is_launched,
        is_live=view.is_live,
        stop_requested=view.stop.requested if view.stop else None,
        stop_reason=view.stop.reason if view.stop else "",
    )


def attempt_record(known: AttemptStatus, view: AttemptView, *, now: datetime) -> AttemptStatus:
    """What is recorded of an attempt, with what is new; nothing known is lost."""
    if not view.is_launched or known.ended is not None:
        return known
    record = _with_steps(known, view)
    if view.exit is not None:
        record = _with_report(record, view.exit, view)
    elif view.verdict is not None:
        record = _judged(record, view.verdict)
    elif not view.is_live:
        record = _vanished(record, view)
    if view.is_live:
        return record
    # A server that was away must not count its absence as running time.
    ended = view.exit.ended if view.exit else view.last_sign or now
    return record.model_copy(update={"ended": max(record.created, min(ended, now))})


def _with_steps(record: AttemptStatus, view: AttemptView) -> AttemptStatus:
    first, last, saved, started = (
        record.first_step,
        record.last_step,
        record.checkpoint_step,
        record.started,
    )
    said = view.progress
    if said is not None:
        first, last, saved = _from_where(record, said.first_step)
        last = max(last, said.step)
        saved = max(saved, said.checkpoint.step if said.checkpoint else 0)
        started = started or (said.time if said.step > first else None)
    if view.exit is not None:
        if said is None:
            first, last, saved = _from_where(record, view.exit.first_step)
        last = max(last, view.exit.last_step or 0)
        saved = max(saved, view.exit.checkpoint_step or 0)
        started = started or (view.exit.ended if last > first else None)
    return record.model_copy(
        update={
            "first_step": first,
            "last_step": max(first, last),
            "checkpoint_step": saved,
            "started": started,
        }
    )


def _from_where(record: AttemptStatus, first: int | None) -> tuple[int, int, int]:
    """First, last and saved step, with what the driver says of where it goes on from.

    Until it does, these are what the launcher took for granted: the newest checkpoint.
    """
    if first is None:
        return record.first_step, record.last_step, record.checkpoint_step
    if record.last_step == record.first_step:
        return first, first, first
    return first, record.last_step, record.checkpoint_step


def _with_report(record: AttemptStatus, report: ExitFile, view: AttemptView) -> AttemptStatus:
    try:
        outcome = Outcome(report.outcome)
    except ValueError:
        outcome = Outcome.FAILED
    message, verdict = report.message or "", view.verdict
    failure = None
    if outcome is Outcome.STOPPED and view.stop is None and verdict and verdict.failure_class:
        # Not we told it to end but what is around it; it saved, and the launcher knows why.
        outcome, failure, message = verdict.outcome, verdict.failure_class, redact(verdict.message)
    elif outcome not in (Outcome.SUCCEEDED, Outcome.STOPPED):
        failure = classify(
            exit_code=report.exit_code,
            failure_class=report.failure_class or "",
            message=message,
            was_launched=True,
        )
        if _knows_better(verdict, report, failure):
            failure = verdict.failure_class
            message = f"{message.rstrip('. ')}. {verdict.message}" if message else verdict.message
    return _ended(record, outcome, failure, message=message, exit_code=report.exit_code)


def _knows_better(
    verdict: Verdict | None, report: ExitFile, failure: FailureClass
) -> TypeGuard[Verdict]:
    """Whether the launcher saw why a role died, where the driver only knows that it did."""
    if verdict is None or verdict.failure_class in (None, FailureClass.APP_FAILED, failure):
        return False
    return failure is FailureClass.APP_FAILED and (report.failure_class or "") in _UNSURE


def _judged(record: AttemptStatus, verdict: Verdict) -> AttemptStatus:
    """What the launcher knows, as the driver is silent."""
    failure, message = verdict.failure_class, redact(verdict.message)
    return _ended(record, verdict.outcome, failure, message=message, exit_code=record.exit_code)


def _vanished(record: AttemptStatus, view: AttemptView) -> AttemptStatus:
    """It wrote no report: killed, or dead before it could.

    Without an exit code of its own nothing is said about the outcome: whether it is lost or was
    stopped depends on what was asked of it, and that is for `decide` to know.
    """
    said = redact(view.last_words)
    code = view.exit_code or 0
    if code <= 0:
        return record.model_copy(
            update={"message": _short(f"Its last words: {said}" if said else "")}
        )
    message = f"The driver ended with exit code {code} and no report" + (
        f": {said}" if said else ""
    )
    failure = classify(exit_code=code, failure_class="", message=message, was_launched=True)
    return _ended(record, Outcome.FAILED, failure, message=message, exit_code=code)


def _short(message: str) -> str:
    return message[:MESSAGE_CHARACTERS]


def _ended(
    record: AttemptStatus,
    outcome: Outcome,
    failure: FailureClass | None,
    *,
    message: str,
    exit_code: int | None,
) -> AttemptStatus:
    return record.model_copy(
        update={
            "outcome": outcome,
            "failure_class": failure,
            "message": _short(message),
            "exit_code": exit_code,
        }
    )
