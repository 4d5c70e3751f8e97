"""What would happen to a job: the reply of a dry run, and a hash to agree on."""

import hashlib
import json
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import Field

from vppo_core.lifecycle.attempts import gpus_of
from vppo_core.spec.base import SpecModel
from vppo_core.spec.hashing import canonical_json
from vppo_core.spec.job import API_VERSION, KIND, ObjectMeta, VPPOJob, VPPOJobSpec
from vppo_core.spec.platform import PlatformSpec, PoolOffer, QueueOffer
from vppo_services.api.errors import ApiError
from vppo_services.api.job_store import JobStore

_HOUR_SECONDS: Final = 3600.0


class PlannedJob(SpecModel):
    """The job with its defaults, before anybody gave it an identity."""

    api_version: str = API_VERSION
    """Always `vppo.io/v1alpha1`."""

    kind: str = KIND
    """Always `VPPOJob`."""

    metadata: ObjectMeta
    """Name and labels."""

    spec: VPPOJobSpec
    """What is asked of the job, defaults included."""


class PlannedQueue(SpecModel):
    """Where the job would wait."""

    name: str
    """Queue."""

    pool: str
    """Pool that it feeds."""

    waiting: int
    """Jobs that wait in the queue."""

    is_free: bool
    """Whether the job would start at once: nothing runs in the pool or waits for it."""


class Price(SpecModel):
    """What the job would cost, in the platform's currency."""

    per_hour: float | None
    """Of all its GPUs; null where the platform names no price."""

    estimated: float | None
    """Of the whole job; null where its duration is not known."""


class Plan(SpecModel):
    """What would happen if the job were sent."""

    job: PlannedJob
    """The job with its defaults."""

    plan_hash: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    """Of the spec and of what the platform has for it. Sent as `If-Plan-Match`, it creates the job
    only if both are still the same."""

    process: dict[str, Any]
    """What an attempt would be."""

    gpus: int
    """GPUs of all its processes."""

    queue: PlannedQueue
    """Where it would wait."""

    price: Price
    """What it would cost."""

    estimated_seconds: float | None
    """How long it would run, from finished jobs of its kind; null where there are none."""

    warnings: tuple[str, ...]
    """What is allowed and perhaps not meant."""


@dataclass(frozen=True, slots=True)
class _Place:
    queue: QueueOffer
    pool: PoolOffer
    priority: int


def plan_of(job: VPPOJob, store: JobStore) -> Plan:
    """The plan of a job that the store has checked."""
    place = _place_of(job.spec, store.platform)
    queues = store.queues()
    here = [one for one in queues if one["pool"] == place.pool.name]
    step_seconds = store.typical_step_seconds(job)
    seconds = None if step_seconds is None else step_seconds * job.spec.learner.num_steps
    gpus = gpus_of(job.spec.placement)
    price = _price(gpus * place.pool.price_per_gpu_hour, seconds)
    return Plan(
        job=PlannedJob(metadata=job.metadata, spec=job.spec),
        plan_hash=plan_hash(job, store.platform),
        process=store.plan_process(job),
        gpus=gpus,
        queue=PlannedQueue(
            name=place.queue.name,
            pool=place.pool.name,
            waiting=sum(one["waiting"] for one in here if one["name"] == place.queue.name),
            is_free=not any(one["waiting"] or one["running"] for one in here),
        ),
        price=price,
        estimated_seconds=seconds,
        warnings=_warnings(job.spec, gpus, seconds),
    )


def plan_hash(job: VPPOJob, platform: PlatformSpec) -> str:
    """SHA-256 of the resolved spec and of the queue, pool and priority that it would get; how
    full they are does not count."""
    place = _place_of(job.spec, platform)
    facts = {
        "queue": place.queue.name,
        "pool": place.pool.model_dump(mode="json", by_alias=True),
        "priority": place.priority,
    }
    text = canonical_json(job.spec) + json.dumps(facts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def check_plan(job: VPPOJob, platform: PlatformSpec, expected: str) -> None:
    """Go on only if the plan is still the one that was agreed to.

    Raises:
        ApiError: 412.
    """
    current = plan_hash(job, platform)
    if expected.strip('"') != current:
        raise ApiError(
            412,
            "plan_changed",
            f"If-Plan-Match must be the hash of the plan as it is now, {current}, got "
            f"{expected[:80]}; look at the plan again with ?dryRun=true",
            param="If-Plan-Match",
        )


def _place_of(spec: VPPOJobSpec, platform: PlatformSpec) -> _Place:
    wanted = spec.scheduling.queue
    queue = next((one for one in platform.queues if one.name == wanted), platform.queues[0])
    pool = next(one for one in platform.pools if one.name == queue.pool)
    priority = next((one.value for one in platform.priorities if one.name == spec.priority), 0)
    return _Place(queue, pool, priority)


def _price(per_hour: float, seconds: float | None) -> Price:
    if per_hour == 0.0:
        return Price(per_hour=None, estimated=None)
    estimated = None if seconds is None else per_hour * seconds / _HOUR_SECONDS
    return Price(per_hour=per_hour, estimated=estimated)


def _warnings(spec: VPPOJobSpec, gpus: int, seconds: float | None) -> tuple[str, ...]:
    found = []
    if not gpus and not spec.model.source.startswith("demo://"):
        found.append(
            "placement asks for no GPUs: a model of full size trains on a CPU for weeks; "
            "set gpus of rollout, dependency and learner"
        )
    limit = spec.active_deadline_seconds
    if limit is not None and seconds is not None and seconds > limit:
        found.append(
            f"activeDeadlineSeconds is {limit}, and jobs of this kind take about {seconds:.0f} s; "
            "raise it, or lower learner.numSteps"
        )
    if spec.checkpoint.every_steps > spec.learner.num_steps:
        found.append(
            "checkpoint.everySteps is above learner.numSteps: a failure loses the whole job; "
            "lower it"
        )
    return tuple(found)
