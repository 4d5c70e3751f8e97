"""What a job asks of the platform, and whether the platform has it. Pure."""

from collections.abc import Iterator, Sequence

from vppo_core.errors import InvalidSpecError
from vppo_core.lifecycle.attempts import gpus_of
from vppo_core.spec.fields import nearest
from vppo_core.spec.job import VPPOJob, VPPOJobSpec
from vppo_core.spec.platform import PlatformSpec, PoolOffer, QueueOffer
from vppo_core.spec.wording import shown

NAMESPACE = "default"
"""The one namespace of a machine."""


def queue_of(spec: VPPOJobSpec, platform: PlatformSpec) -> QueueOffer | None:
    """The queue that a job waits in; None when the platform has it no more."""
    if not spec.scheduling.queue:
        return platform.queues[0]
    return next((q for q in platform.queues if q.name == spec.scheduling.queue), None)


def pool_of(spec: VPPOJobSpec, platform: PlatformSpec) -> PoolOffer | None:
    """The pool that a job runs in; None when the platform has its queue no more."""
    queue = queue_of(spec, platform)
    return next((p for p in platform.pools if queue is not None and p.name == queue.pool), None)


def gpus_by_pool(spec: VPPOJobSpec, platform: PlatformSpec) -> dict[str, int]:
    """GPUs that an attempt holds of each pool; pools of which it holds none are left out."""
    queue = queue_of(spec, platform)
    roles = spec.placement
    found: dict[str, int] = {}
    for process in (roles.rollout, roles.reward, roles.dependency, roles.learner):
        pool = process.pool or (queue.pool if queue else "")
        if pool and process.gpus:
            found[pool] = found.get(pool, 0) + process.replicas * process.gpus
    return found


def priority_of(spec: VPPOJobSpec, platform: PlatformSpec) -> int:
    """How far in front a job stands; a name that is gone counts as none."""
    return next((p.value for p in platform.priorities if p.name == spec.priority), 0)


def check_job(job: VPPOJob, platform: PlatformSpec) -> None:
    """Refuse what this platform cannot run.

    Raises:
        InvalidSpecError: one line for each thing that is wrong.
    """
    wrong = list(_wrong(job, platform))
    if wrong:
        raise InvalidSpecError("\n".join(wrong))


def check_priority(name: str, platform: PlatformSpec) -> None:
    """Refuse a priority that the platform does not have.

    Raises:
        InvalidSpecError: the sentence has the choices.
    """
    names = [offer.name for offer in platform.priorities]
    if name and name not in names:
        raise InvalidSpecError(_choice("priority", name, names))


def trouble_of(spec: VPPOJobSpec, platform: PlatformSpec) -> str:
    """Why an accepted job will not start here: the platform changed since; empty if it may."""
    queue, pool = queue_of(spec, platform), pool_of(spec, platform)
    if queue is None or pool is None:
        names = ", ".join(f"'{offer.name}'" for offer in platform.queues)
        return (
            f"the platform has no queue '{spec.scheduling.queue}' any more, only {names}; "
            "clone the job into one of these, or bring the queue back"
        )
    gpus = gpus_of(spec.placement)
    if gpus > pool.gpus:
        return (
            f"the job asks for {gpus} GPUs and the pool '{pool.name}' has {pool.gpus}; "
            "clone the job with fewer, or into a queue of a larger pool"
        )
    return ""


def _wrong(job: VPPOJob, platform: PlatformSpec) -> Iterator[str]:
    spec, namespace = job.spec, job.metadata.namespace
    if platform.cluster is None and namespace not in ("", NAMESPACE):
        yield (
            f"metadata.namespace must be '{NAMESPACE}' or empty on one machine, "
            f"got {shown(namespace)}; leave it out"
        )
    try:
        check_priority(spec.priority, platform)
    except InvalidSpecError as error:
        yield str(error)
    pool, gpus = pool_of(spec, platform), gpus_of(spec.placement)
    if pool is None:
        names = [offer.name for offer in platform.queues]
        yield _choice("scheduling.queue", spec.scheduling.queue, names)
    elif gpus > pool.gpus:
        yield (
            f"placement must ask for at most {pool.gpus} GPUs, as the pool '{pool.name}' has them, "
            f"got {gpus}; lower replicas or gpus of a role, or choose another queue"
        )
    yield from _meant_for_clusters(spec, platform, pool)


def _meant_for_clusters(
    spec: VPPOJobSpec, platform: PlatformSpec, pool: PoolOffer | None
) -> Iterator[str]:
    """One machine runs a whole job in one pool, with the environment of its server."""
    if platform.cluster is not None:
        return
    if spec.placement.secret:
        yield (
            "placement.secret must be empty on one machine, which has no Secrets, "
            f"got {shown(spec.placement.secret)}; leave it out and set the variables of the server"
        )
    for role in ("rollout", "reward", "dependency", "learner"):
        name = getattr(spec.placement, role).pool
        if name and pool is not None and name != pool.name:
            yield (
                f"placement.{role}.pool must be '{pool.name}', the one pool of the job's queue, "
                f"or empty on one machine, got {shown(name)}; leave it out"
            )


def _choice(field: str, value: str, names: Sequence[str]) -> str:
    if not names:
        return f"{field} must be empty, as the platform has none, got {shown(value)}; leave it out"
    near = nearest(value, names)
    cure = f"did you mean '{near}'?" if near else "choose one of these, or leave it out"
    choices = ", ".join(f"'{name}'" for name in names)
    return f"{field} must be one of {choices}, got {shown(value)}; {cure}"
