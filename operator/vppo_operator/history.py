"""All attempts of a job: the last ones stand in its status, the archive has the others."""

from collections.abc import Mapping, Sequence

from vppo_core.spec.status import AttemptStatus, VPPOJobStatus


def merged_history(
    status: VPPOJobStatus, archived: Sequence[AttemptStatus]
) -> tuple[AttemptStatus, ...]:
    """Oldest first; where both know of an attempt, the status is newer."""
    known = {one.index: one for one in archived} | {one.index: one for one in status.attempts}
    return tuple(known[index] for index in sorted(known))


def has_gap(status: VPPOJobStatus, known: Sequence[AttemptStatus]) -> bool:
    """Whether an attempt is missing: the budget of the job cannot be told then."""
    return {one.index for one in known} < set(range(1, status.attempt + 1))


def unknown_attempts(
    known: Sequence[AttemptStatus], seen: Mapping[int, AttemptStatus]
) -> tuple[AttemptStatus, ...]:
    """All attempts, those included that nobody wrote down and that are there all the same."""
    recorded = {one.index for one in known}
    extra = [one for index, one in seen.items() if index not in recorded]
    return tuple(sorted((*known, *extra), key=lambda one: one.index))
