"""When a status is written, and what the operator adds to what `decide` says. Pure."""

from datetime import datetime, timedelta
from typing import Final

from vppo_core.lifecycle.phases import condition
from vppo_core.spec.status import (
    AttemptStatus,
    Condition,
    ConditionStatus,
    ConditionType,
    JobPhase,
    Progress,
    UsageStatus,
    VPPOJobStatus,
)
from vppo_operator.pod_troubles import Trouble

PROGRESS_SECONDS: Final = 30.0
"""Steps are written at most so often; a phase, a checkpoint or an end at once."""

_MESSAGE_CHARACTERS: Final = 1024


def with_condition(
    status: VPPOJobStatus,
    kind: ConditionType,
    is_true: bool,
    reason: str,
    message: str = "",
    *,
    before: VPPOJobStatus,
    now: datetime,
) -> VPPOJobStatus:
    """The status with this statement; its time is kept while it stays true, or false."""
    value = ConditionStatus.TRUE if is_true else ConditionStatus.FALSE
    known = condition(before, kind)
    since = known.last_transition_time if known and known.status is value else now
    stated = Condition(
        type=kind,
        status=value,
        reason=reason,
        message=message[:_MESSAGE_CHARACTERS],
        last_transition_time=since,
        observed_generation=status.observed_generation,
    )
    is_there = any(one.type is kind for one in status.conditions)
    changed = tuple(stated if one.type is kind else one for one in status.conditions)
    conditions = changed if is_there else (*status.conditions, stated)
    return status.model_copy(update={"conditions": conditions})


def with_archive(
    status: VPPOJobStatus, *, before: VPPOJobStatus, trouble: str, now: datetime
) -> VPPOJobStatus:
    """The status with what is to be said of the archive: written, or away and why."""
    kind, reason = ConditionType.ARCHIVED, "ArchiveUnavailable" if trouble else "Written"
    return with_condition(status, kind, not trouble, reason, trouble, before=before, now=now)


def refused(
    status: VPPOJobStatus, trouble: Trouble, *, before: VPPOJobStatus, now: datetime
) -> VPPOJobStatus:
    """The status of a job that is not accepted, and may be when its cause goes."""
    if status.attempt == 0 and status.phase in (JobPhase.PENDING, JobPhase.QUEUED):
        status = status.model_copy(update={"phase": JobPhase.PENDING})
        status = with_condition(
            status, ConditionType.QUEUED, False, "NotAccepted", before=before, now=now
        )
    kind = ConditionType.ACCEPTED
    return with_condition(
        status, kind, False, trouble.reason, trouble.sentence, before=before, now=now
    )


def is_news(before: VPPOJobStatus, after: VPPOJobStatus, kind: ConditionType) -> bool:
    """Whether a condition says something else than before."""
    old, new = condition(before, kind), condition(after, kind)
    return _said(old) != _said(new)


def seconds_until_write(before: VPPOJobStatus, after: VPPOJobStatus) -> float | None:
    """How long to wait before the status is written; None when there is nothing to write."""
    if before == after:
        return None
    if _without_steps(before) != _without_steps(after):
        return 0.0
    old, new = before.progress.updated, after.progress.updated
    if old is None or new is None or new == old:
        return 0.0
    passed = new - old
    return max(0.0, PROGRESS_SECONDS - abs(passed / timedelta(seconds=1)))


def _said(known: Condition | None) -> tuple[str, str, str] | None:
    return (known.status.value, known.reason, known.message) if known else None


def _without_steps(status: VPPOJobStatus) -> VPPOJobStatus:
    """What is told of the job besides how far it is."""
    return status.model_copy(
        update={
            "progress": Progress(),
            "usage": UsageStatus(gpus=status.usage.gpus),
            "attempts": tuple(_without_last_step(one) for one in status.attempts),
        }
    )


def _without_last_step(attempt: AttemptStatus) -> AttemptStatus:
    return attempt.model_copy(update={"last_step": 0}) if attempt.ended is None else attempt
