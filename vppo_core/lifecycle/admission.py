"""Who may start now: one job at a time in each pool, by priority, then by age."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from vppo_core.lifecycle.observed import QueueState
from vppo_core.spec.platform import PlatformSpec
from vppo_core.spec.status import QueueStatus

ADMITTED: Final = "Admitted"
WAITING: Final = "WaitingForQuota"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A job that wants to run."""

    uid: str
    name: str
    queue: str
    """Queue that it waits in."""

    pool: str
    """Pool that the queue feeds."""

    priority: int
    """Higher ones go first."""

    created: datetime
    holds_pool: bool
    """Whether an attempt of it is under way, or a place is kept for it."""


def admit(jobs: Sequence[Waiting], platform: PlatformSpec) -> dict[str, QueueState]:
    """The standing of each job, by uid.

    Jobs that hold a pool keep it; where there are none, the first in line gets it. Positions count
    all that wait for the pool, whatever their queue, so that 1 is always the next one.
    """
    pools = {pool.name for pool in platform.pools}
    states: dict[str, QueueState] = {}
    for pool in dict.fromkeys(job.pool for job in jobs):
        holders = [job for job in jobs if job.pool == pool and job.holds_pool]
        line = [job for job in jobs if job.pool == pool and not job.holds_pool]
        line.sort(key=_place)
        if pool not in pools:
            trouble = _no_pool(pool, sorted(pools))
            states |= {job.uid: _stranded(job, trouble) for job in line}
        else:
            if not holders and line:
                holders = [line.pop(0)]
            names = tuple(job.name for job in holders)
            states |= {
                job.uid: _waiting(job, position, names) for position, job in enumerate(line, 1)
            }
        states |= {job.uid: _admitted(job) for job in holders}
    return states


def _place(job: Waiting) -> tuple[int, datetime, str]:
    return (-job.priority, job.created, job.uid)


def _no_pool(pool: str, pools: Sequence[str]) -> str:
    known = ", ".join(f"'{name}'" for name in pools)
    return f"The platform has no pool '{pool}'; it has {known}."


def _admitted(job: Waiting) -> QueueState:
    return QueueState(is_admitted=True, status=_status(job, ADMITTED), needs=_needs(job))


def _waiting(job: Waiting, position: int, blockers: tuple[str, ...]) -> QueueState:
    status = _status(job, WAITING, position)
    return QueueState(is_admitted=False, status=status, needs=_needs(job), blockers=blockers)


def _stranded(job: Waiting, trouble: str) -> QueueState:
    status = _status(job, "UnknownPool")
    return QueueState(is_admitted=False, status=status, needs=_needs(job), trouble=trouble)


def _status(job: Waiting, reason: str, position: int = 0) -> QueueStatus:
    return QueueStatus(name=job.queue, pool=job.pool, position=position, reason=reason)


def _needs(job: Waiting) -> str:
    return f"the pool '{job.pool}'"
