"""Where the roles' time lay within a step: who computed, who waited, what overlapped.

From the spans in which each process computed - sampling, grading, scoring, learning - and never
from sums of seconds, which cannot tell side by side from one after another. The transfer of
weights, the driver's own work and checkpoints are not computing.
"""

from collections.abc import Iterable, Mapping, Sequence

from vppo_core.catalogue import labelled
from vppo_services.transport.busy import Span

RoleSpans = Mapping[str, Sequence[Sequence[Span]]]
"""Spans by role, one list for each process."""


def schedule_values(spans: RoleSpans, *, start: float, end: float) -> dict[str, float]:
    """Busy seconds by role, bubble and overlap of the step from `start` to `end`.

    - `role_busy_seconds{role}`: sum over processes of the seconds computed within the step.
    - `bubble_share`: 1 - (seconds in which at least one process of any role computed) / step.
    - `overlap_share`: of the seconds in which dependency was scored, the share in which answers
      were sampled too; absent where nothing was scored.

    Args:
        start, end: seconds since the epoch; what was computed before or after is not counted.
    """
    within = {
        role: [_within(process, start, end) for process in processes]
        for role, processes in spans.items()
    }
    values = {
        labelled("role_busy_seconds", role): sum(_seconds(process) for process in processes)
        for role, processes in within.items()
    }
    busy = {role: union(span for process in p for span in process) for role, p in within.items()}
    anyone = union(span for role in busy.values() for span in role)
    if end > start:
        values["bubble_share"] = 1.0 - _seconds(anyone) / (end - start)
    scoring, sampling = busy.get("dependency", []), busy.get("rollout", [])
    if scoring:
        values["overlap_share"] = _common(scoring, sampling) / _seconds(scoring)
    return values


def union(spans: Iterable[Span]) -> list[Span]:
    """The same time as spans that are in order and do not touch."""
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _within(spans: Iterable[Span], start: float, end: float) -> list[Span]:
    cut = [(max(begun, start), min(ended, end)) for begun, ended in spans]
    return [span for span in cut if span[1] > span[0]]


def _seconds(spans: Iterable[Span]) -> float:
    return sum(end - start for start, end in spans)


def _common(one: Sequence[Span], other: Sequence[Span]) -> float:
    """Seconds that are in both; each in order and without overlaps of its own."""
    return _seconds(one) + _seconds(other) - _seconds(union([*one, *other]))
