"""The two deadlines of a job, and how long it has run."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from vppo_core.lifecycle.attempts import has_reported_a_step
from vppo_core.lifecycle.observed import Observed
from vppo_core.spec.scheduling import DesiredState
from vppo_core.spec.status import AttemptStatus, ConditionStatus, ConditionType

RESUMED = "Resumed"


@dataclass(frozen=True, slots=True)
class Deadline:
    """A limit of the spec as it stands now."""

    field: str
    """Its path in the spec."""

    seconds: int
    time: datetime
    """When it is reached if the job goes on as it does."""

    def sentence(self) -> str:
        """Why the job ends."""
        what = (
            "The job ran for" if self.field == "activeDeadlineSeconds" else "It took no step within"
        )
        return f"{what} {self.seconds} s, its {self.field}."


def deadlines(observed: Observed, attempts: Sequence[AttemptStatus]) -> tuple[Deadline, ...]:
    """The deadlines that count now, those that are over included."""
    spec = observed.spec
    found = []
    if spec.active_deadline_seconds is not None:
        left = spec.active_deadline_seconds - running_seconds(attempts, observed.now)
        is_running = any(one.ended is None for one in attempts)
        if is_running or left <= 0:
            time = observed.now + timedelta(seconds=left)
            found.append(Deadline("activeDeadlineSeconds", spec.active_deadline_seconds, time))
    is_pending = spec.desired_state is DesiredState.RUNNING and not has_reported_a_step(attempts)
    if spec.pending_deadline_seconds is not None and is_pending:
        time = pending_since(observed) + timedelta(seconds=spec.pending_deadline_seconds)
        found.append(Deadline("pendingDeadlineSeconds", spec.pending_deadline_seconds, time))
    return tuple(found)


def reached(found: Sequence[Deadline], now: datetime) -> Deadline | None:
    """A deadline that is over."""
    return next((one for one in found if one.time <= now), None)


def running_seconds(attempts: Sequence[AttemptStatus], now: datetime) -> float:
    """How long attempts have run, all together; waiting for machines is no part of it."""
    spans = ((one.ended or now) - one.held_since(now) for one in attempts)
    return sum(max(span.total_seconds(), 0.0) for span in spans)


def pending_since(observed: Observed) -> datetime:
    """From when the time until the first step counts: the creation, or the last resumption."""
    paused = next(
        (one for one in observed.status.conditions if one.type is ConditionType.PAUSED), None
    )
    if paused is None:
        return observed.created
    if paused.status is ConditionStatus.TRUE:
        return observed.now  # it is being resumed
    return paused.last_transition_time if paused.reason == RESUMED else observed.created
