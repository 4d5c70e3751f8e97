"""Who may start now: the jobs of this machine in line for its pools. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from vppo_core.archive.records import JobRecord
from vppo_core.lifecycle.admission import Waiting, admit
from vppo_core.lifecycle.observed import QueueState
from vppo_core.lifecycle.offers import pool_of, priority_of, queue_of, trouble_of
from vppo_core.spec.job import VPPOJobSpec
from vppo_core.spec.platform import PlatformSpec
from vppo_core.spec.status import QueueStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A job before the gate."""

    record: JobRecord
    spec: VPPOJobSpec
    holds_pool: bool
    """Whether an attempt of it is under way, wanted or not."""

    is_waiting: bool
    """Whether it would start if it were let in."""


def queue_states(jobs: Sequence[Standing], platform: PlatformSpec) -> dict[str, QueueState]:
    """The standing of each job, by uid; one that neither runs nor waits is not let in."""
    in_line = []
    states = {}
    for job in jobs:
        spec, uid = job.spec, job.record.uid
        queue, pool = queue_of(spec, platform), pool_of(spec, platform)
        trouble = "" if job.holds_pool else trouble_of(spec, platform)
        place = QueueStatus(
            name=queue.name if queue else spec.scheduling.queue, pool=pool.name if pool else ""
        )
        states[uid] = QueueState(is_admitted=job.holds_pool, status=place, trouble=trouble)
        if pool is None or queue is None or not (job.holds_pool or job.is_waiting):
            continue
        if trouble and not job.holds_pool:
            continue
        in_line.append(
            Waiting(
                uid=uid,
                name=job.record.name,
                queue=queue.name,
                pool=pool.name,
                priority=priority_of(spec, platform),
                created=job.record.created,
                holds_pool=job.holds_pool,
            )
        )
    return states | admit(in_line, platform)


def without_position(state: QueueState) -> QueueState:
    """The same standing, whoever stands before it: what may be written down later."""
    return replace(state, status=state.status.model_copy(update={"position": 0}), blockers=())
