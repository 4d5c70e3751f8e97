"""GPU-seconds of attempts: held, spent on steps that count, spent on steps that were lost.

    machines       first steps                last checkpoint    last step   ended
       |-- start-up --|------- productive -------|------ lost ------|
       |------------------------- allocated ------------------------|

The steps of an attempt are taken to be equally long. What lies behind the checkpoint of a live
attempt is not decided yet: it is neither productive nor lost. All that an attempt did that
succeeded is productive.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from vppo_core.spec.status import AttemptStatus, Outcome, UsageStatus

_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageBucket:
    """GPU-seconds of an attempt in one hour."""

    hour: datetime
    """When the hour begins, UTC."""

    allocated: float
    productive: float
    lost: float


@dataclass(frozen=True, slots=True)
class _Spans:
    """The three times of an attempt: all of it, its productive part, its lost part."""

    allocated: tuple[datetime, datetime]
    productive: tuple[datetime, datetime]
    lost: tuple[datetime, datetime]
    gpus: int

    def gpu_seconds(self) -> tuple[float, float, float]:
        spans = (self.allocated, self.productive, self.lost)
        allocated, productive, lost = (
            (end - start).total_seconds() * self.gpus for start, end in spans
        )
        return allocated, productive, lost


def usage_of(attempts: Iterable[AttemptStatus], now: datetime) -> UsageStatus:
    """What the attempts have cost until now; no GPU counts as one."""
    allocated = productive = lost = 0.0
    gpus = 0
    for attempt in attempts:
        held, counted, wasted = _spans(attempt, now).gpu_seconds()
        allocated, productive, lost = allocated + held, productive + counted, lost + wasted
        gpus += attempt.gpus if attempt.ended is None else 0
    return UsageStatus(
        gpus=gpus,
        gpu_seconds_allocated=allocated,
        gpu_seconds_productive=productive,
        gpu_seconds_lost=lost,
    )


def never_less(usage: UsageStatus, before: UsageStatus) -> UsageStatus:
    """The usage, but no figure below what was said before.

    A live attempt's productive share is an estimate that may swing by a step, and clocks go back.
    Lost is never more than what productive leaves of allocated.
    """
    allocated = max(usage.gpu_seconds_allocated, before.gpu_seconds_allocated)
    productive = max(usage.gpu_seconds_productive, before.gpu_seconds_productive)
    lost = max(usage.gpu_seconds_lost, before.gpu_seconds_lost)
    room = max(allocated - productive, before.gpu_seconds_lost)
    return UsageStatus(
        gpus=usage.gpus,
        gpu_seconds_allocated=allocated,
        gpu_seconds_productive=productive,
        gpu_seconds_lost=min(lost, room),
    )


def buckets(attempt: AttemptStatus, now: datetime) -> list[UsageBucket]:
    """The attempt's GPU-seconds by hours, oldest first; their sums are those of `usage_of`."""
    spans = _spans(attempt, now)
    return [
        UsageBucket(
            hour=hour,
            allocated=_within(spans.allocated, hour) * spans.gpus,
            productive=_within(spans.productive, hour) * spans.gpus,
            lost=_within(spans.lost, hour) * spans.gpus,
        )
        for hour in _hours(*spans.allocated)
    ]


def _spans(attempt: AttemptStatus, now: datetime) -> _Spans:
    start = attempt.held_since(now)
    end = max(attempt.ended or now, start)
    steps = max(attempt.last_step - attempt.first_step, 0)
    saved = min(max(attempt.checkpoint_step - attempt.first_step, 0), steps)
    if attempt.outcome is Outcome.SUCCEEDED:
        saved = steps
    stepping = _stepping(attempt, end, steps, whole=end - start)
    begun = end - stepping
    until = begun + stepping * (saved / steps) if steps else begun
    is_decided = attempt.ended is not None
    return _Spans(
        allocated=(start, end),
        productive=(begun, until),
        lost=(until, end if is_decided else until),
        gpus=max(attempt.gpus, 1),
    )


def _stepping(attempt: AttemptStatus, end: datetime, steps: int, *, whole: timedelta) -> timedelta:
    """The time that the steps took. `started` is the end of the first one, which counts too."""
    if steps == 0:
        return timedelta()
    if steps == 1 or attempt.started is None:
        # Start-up and a single step cannot be told apart: at the end both count as the step.
        return whole if attempt.ended is not None else timedelta()
    counted = (end - min(attempt.started, end)) * (steps / (steps - 1))
    return min(counted, whole)


def _hours(start: datetime, end: datetime) -> Iterator[datetime]:
    hour = start.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    while start < end and hour < end:
        yield hour
        hour += _HOUR


def _within(span: tuple[datetime, datetime], hour: datetime) -> float:
    """Seconds of the span that lie in the hour."""
    return max((min(span[1], hour + _HOUR) - max(span[0], hour)).total_seconds(), 0.0)
