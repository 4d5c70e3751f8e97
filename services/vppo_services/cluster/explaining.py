"""Why a job waits, or what it does, from the status that the operator wrote. Pure.

The operator sees pods and quota and puts what it finds into the status: the message of `Queued` is
its own explanation. So the API reads nothing that it would have to interpret a second time.
"""

from datetime import datetime, timedelta
from typing import Final

from vppo_core.archive.records import JobRecord
from vppo_core.errors import InvalidSpecError
from vppo_core.lifecycle.explain import Cause, Explanation, explain
from vppo_core.lifecycle.observed import AttemptState, Observed, QueueState
from vppo_core.lifecycle.wording import span
from vppo_core.spec.status import (
    Condition,
    ConditionStatus,
    ConditionType,
    JobPhase,
    VPPOJobStatus,
)

UNSEEN: Final = timedelta(seconds=30)
"""Time after which a job that the operator has not looked at is worth a word."""


def explanation_of(record: JobRecord, now: datetime) -> Explanation:
    """The sentence, the facts behind it, and what may be done."""
    status = record.status
    refused = condition(status, ConditionType.ACCEPTED)
    if refused is not None and refused.status is ConditionStatus.FALSE:
        return _by(refused, hint="Clone the job with a spec that the platform can run.")
    if not status.conditions and now - record.created >= UNSEEN:
        return _unseen(record, now)
    queued = condition(status, ConditionType.QUEUED)
    if status.phase is JobPhase.QUEUED and queued is not None and queued.message:
        return _by(queued, hint=_cure(queued))
    return explain(_observed(record, now))


def condition(status: VPPOJobStatus, kind: ConditionType) -> Condition | None:
    """A condition of the status."""
    return next((one for one in status.conditions if one.type is kind), None)


def _by(found: Condition, *, hint: str) -> Explanation:
    cause = Cause(reason=found.reason, message=found.message)
    return Explanation(sentence=found.message, causes=(cause,), hint=hint)


def _cure(queued: Condition) -> str:
    """What stands behind the last semicolon of the operator's sentence."""
    _, found, cure = queued.message.rpartition("; ")
    return cure[:1].upper() + cure[1:] if found else ""


def _unseen(record: JobRecord, now: datetime) -> Explanation:
    age = span((now - record.created).total_seconds())
    return Explanation(
        sentence=f"The job is accepted, and no operator has looked at it for {age}.",
        causes=(Cause(reason="NoOperator", message="Its status is empty."),),
        hint="Ask who runs the platform whether the operator runs and watches this namespace.",
    )


def _observed(record: JobRecord, now: datetime) -> Observed:
    """What the status alone tells: enough for every phase but `Queued`.

    Raises:
        InvalidSpecError: nobody reads its spec.
    """
    status = record.status
    try:
        spec = record.spec
    except ValueError:
        raise InvalidSpecError(
            f"the spec of job '{record.name}' must be one that this version reads, got another; "
            "delete the job, or use the version that made it"
        ) from None
    return Observed(
        uid=record.uid,
        name=record.name,
        spec=spec,
        generation=record.generation,
        created=record.created,
        deletion_requested=record.deletion_requested,
        attempts=tuple(
            AttemptState(record=one, is_launched=True, is_live=one.ended is None)
            for one in status.attempts
        ),
        queue=QueueState(is_admitted=status.phase is not JobPhase.QUEUED, status=status.queue),
        progress=status.progress if status.progress.updated is not None else None,
        checkpoint=status.checkpoint,
        status=status,
        now=now,
    )
