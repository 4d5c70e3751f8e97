"""What is left of attempts that are over, and RayJobs that do not go: removed, step by step."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from vppo_core.archive.records import JobRecord
from vppo_core.lifecycle.actions import JobEvent
from vppo_core.spec.status import AttemptStatus
from vppo_operator.acting import Hands, overdue
from vppo_operator.attempt_state import is_over, is_put_to_sleep
from vppo_operator.parts import Parts, deleted_at


@dataclass(frozen=True, slots=True)
class Tidied:
    """What came of it."""

    look_again: tuple[datetime, ...] = ()
    events: tuple[JobEvent, ...] = ()


def tidy(
    hands: Hands,
    record: JobRecord,
    attempts: Mapping[int, AttemptStatus],
    children: Mapping[int, Parts],
    *,
    closed: frozenset[int],
    now: datetime,
) -> Tidied:
    """Remove what is over.

    Args:
        attempts: as they are recorded now, by index.
        closed: attempts that ended with this look; all of theirs is removed, seen or not.
    """
    look_again: list[datetime] = []
    events: list[JobEvent] = []
    for index, parts in children.items():
        known = attempts.get(index)
        is_closed = known is not None and known.ended is not None
        if is_closed and (index in closed or _is_there(parts)):
            hands.clear(record.namespace, record.name, index, parts)
        elif is_over(parts) or parts.ray_job is None:
            hands.delete_clusters(parts)  # nobody else does, or not soon
        elif is_put_to_sleep(parts):
            hands.delete(parts)
        due = _lingers_until(record, parts)
        if due is not None and now >= due:
            hands.delete(parts)
        stuck = overdue(parts, record.spec.scheduling.stop_grace_seconds)
        if stuck is not None and now >= stuck:
            events += _free(hands, index, parts)
        look_again += [moment for moment in (due, stuck) if moment is not None and moment > now]
    return Tidied(tuple(look_again), tuple(events))


def _is_there(parts: Parts) -> bool:
    is_going = parts.ray_job is None or deleted_at(parts.ray_job) is not None
    return not is_going or any(deleted_at(one) is None for one in parts.ray_clusters)


def _lingers_until(record: JobRecord, parts: Parts) -> datetime | None:
    """When a RayJob whose driver has said its last word is ended."""
    report = parts.files.exit
    if report is None or parts.ray_job is None or is_over(parts) or deleted_at(parts.ray_job):
        return None
    return report.ended + timedelta(seconds=record.spec.scheduling.stop_grace_seconds)


def _free(hands: Hands, index: int, parts: Parts) -> list[JobEvent]:
    """End what KubeRay does not bring to an end: the cluster first, then the RayJob alone."""
    if any(deleted_at(one) is None for one in parts.ray_clusters):
        hands.delete_clusters(parts)
        what = "its RayCluster is removed directly"
    elif not parts.ray_clusters and not parts.pods:
        hands.free_stuck(parts)
        what = "its finalizer is taken away"
    else:
        return []  # pods are on their way out
    text = f"KubeRay does not get the RayJob of attempt {index} deleted; {what}."
    return [JobEvent(kind="Warning", reason="DeletionStuck", message=text)]
