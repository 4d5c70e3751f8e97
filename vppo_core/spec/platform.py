"""What a platform offers to jobs: pools, the queues that feed them, priorities."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from vppo_core.spec.base import SpecModel
from vppo_core.spec.cluster import ClusterSpec, NodePool

Name = Annotated[str, Field(max_length=40, pattern=r"^[a-z]([-a-z0-9]*[a-z0-9])?$")]


class PoolOffer(SpecModel):
    """Machines that hold one job at a time."""

    name: Name
    """Name of the pool."""

    gpus: Annotated[int, Field(ge=0, le=65_536)] = 0
    """GPUs of the pool."""

    gpu_type: Annotated[str, Field(max_length=64)] = ""
    """Their model, such as `H100-80GB`."""

    devices: Annotated[str, Field(max_length=253, pattern=r"^([0-9]+(,[0-9]+)*)?$")] = ""
    """On one machine: indices of the pool's GPUs, `0,1,2,3`; empty means all that are visible."""

    price_per_gpu_hour: Annotated[float, Field(ge=0.0, le=1e6)] = 0.0
    """What an hour of one GPU costs, in the platform's currency; 0 means nobody says."""

    nodes: NodePool | None = None
    """On a cluster: the nodes that the pool is."""


class QueueOffer(SpecModel):
    """Jobs that wait for a pool."""

    name: Name
    """Name of the queue, as `scheduling.queue` gives it."""

    pool: Name
    """Pool that it feeds."""


class PriorityOffer(SpecModel):
    """A name for a place in the queue."""

    name: Name
    """Name, as `priority` gives it."""

    value: Annotated[int, Field(ge=-1_000_000, le=1_000_000)]
    """Higher ones go first; a job without a priority has 0."""


class PlatformSpec(SpecModel):
    """Pools, queues and priorities of one installation."""

    pools: Annotated[tuple[PoolOffer, ...], Field(min_length=1, max_length=64)] = (
        PoolOffer(name="local"),
    )
    """Pools; each holds one job at a time."""

    queues: Annotated[tuple[QueueOffer, ...], Field(min_length=1, max_length=256)] = (
        QueueOffer(name="default", pool="local"),
    )
    """Queues; the first one takes jobs that name none."""

    priorities: Annotated[tuple[PriorityOffer, ...], Field(max_length=64)] = (
        PriorityOffer(name="low", value=-100),
        PriorityOffer(name="high", value=100),
    )
    """Priorities that a job may name."""

    cluster: ClusterSpec | None = None
    """On a cluster: how attempts become pods."""

    @model_validator(mode="after")
    def _names_agree(self) -> Self:
        for kind, offers in (
            ("pools", self.pools),
            ("queues", self.queues),
            ("priorities", self.priorities),
        ):
            names = [offer.name for offer in offers]
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(
                    f"{kind} must have names of their own, got '{twice[0]}' twice; rename one"
                )
        pools = {pool.name for pool in self.pools}
        for queue in self.queues:
            if queue.pool not in pools:
                raise ValueError(
                    f"queues must name a pool of the platform, got '{queue.pool}' for "
                    f"'{queue.name}'; write one of {', '.join(sorted(pools))}"
                )
        for field, name in self._pools_of_cluster():
            if name and name not in pools:
                raise ValueError(
                    f"{field} must name a pool of the platform or be empty, got '{name}'; "
                    f"write one of {', '.join(sorted(pools))}"
                )
        return self

    def _pools_of_cluster(self) -> tuple[tuple[str, str], ...]:
        if self.cluster is None:
            return ()
        head = self.cluster.head.pool
        return (("cluster.cpuPool", self.cluster.cpu_pool), ("cluster.head.pool", head))
