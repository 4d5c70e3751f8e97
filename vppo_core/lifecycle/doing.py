"""What every launcher does with a plan: the job of an attempt, the usage to write down."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from vppo_core.lifecycle.actions import Plan, StartAttempt
from vppo_core.lifecycle.ledger import UsageBucket, buckets
from vppo_core.spec.job import VPPOJob
from vppo_core.spec.status import AttemptStatus


def usage_rows(
    plan: Plan, changed: Sequence[AttemptStatus], now: datetime
) -> Mapping[int, list[UsageBucket]]:
    """GPU-seconds by hour of the attempts that changed or go on, by index."""
    indices = {one.index for one in changed} | {
        one.index for one in plan.attempts if one.ended is None
    }
    return {one.index: list(buckets(one, now)) for one in plan.attempts if one.index in indices}


def job_of_attempt(job: VPPOJob, action: StartAttempt) -> VPPOJob:
    """The job as an attempt runs it: after it ran out of memory, with half of the micro-batch."""
    if not action.halve_micro_batch:
        return job
    learner = job.spec.learner
    half = max(1, learner.max_tokens_per_micro_batch // 2)
    smaller = learner.model_copy(update={"max_tokens_per_micro_batch": half})
    return job.model_copy(update={"spec": job.spec.model_copy(update={"learner": smaller})})
