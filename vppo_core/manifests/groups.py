"""Roles on pods: which pool, how many pods, how many processes in each."""

from dataclasses import dataclass
from typing import Final

from vppo_core.lifecycle.offers import queue_of
from vppo_core.spec.cluster import NodePool
from vppo_core.spec.job import VPPOJobSpec
from vppo_core.spec.placement import PlacementSpec, PoolSpec
from vppo_core.spec.platform import PlatformSpec, PoolOffer

HEAD: Final = "head"
ROLES: Final = ("rollout", "reward", "dependency", "learner")


@dataclass(frozen=True, slots=True)
class Group:
    """Equal pods of one role."""

    role: str
    pool: PoolOffer
    pods: int
    processes: int
    """Processes of the role in each pod."""

    process: PoolSpec
    """What one process may use."""

    @property
    def nodes(self) -> NodePool:
        """The nodes that its pods are put on."""
        return nodes_of(self.pool)

    @property
    def cpus(self) -> int:
        """CPUs of a pod."""
        return self.processes * self.process.cpus

    @property
    def gpus(self) -> int:
        """GPUs of a pod."""
        return self.processes * self.process.gpus

    @property
    def memory_mib(self) -> int:
        """Memory of a pod, MiB: the share of a node that its GPUs are, or else its CPUs."""
        nodes = self.nodes
        if self.gpus:
            return nodes.memory_mib_per_node * self.gpus // max(nodes.gpus_per_node, self.gpus)
        return nodes.memory_mib_per_node * self.cpus // max(nodes.cpus_per_node, self.cpus)

    @property
    def fits(self) -> bool:
        """Whether a node of the pool holds a pod."""
        return self.cpus <= self.nodes.cpus_per_node and self.gpus <= self.nodes.gpus_per_node


def groups_of(spec: VPPOJobSpec, platform: PlatformSpec) -> tuple[Group, ...]:
    """The worker groups of a job, one for each role whose pool the platform has.

    A group has as few pods as nodes allow, all alike; one whose single process fits no node is
    there all the same, and says so by `fits`.
    """
    pools = {role: pool_of_role(role, spec, platform) for role in ROLES}
    return tuple(_group(role, spec.placement, pool) for role, pool in pools.items() if pool)


def pool_of_role(role: str, spec: VPPOJobSpec, platform: PlatformSpec) -> PoolOffer | None:
    """The pool that a role runs on; None when the platform does not have it."""
    process = process_of(role, spec.placement)
    cpu_pool = platform.cluster.cpu_pool if platform.cluster and not process.gpus else ""
    queue = queue_of(spec, platform)
    return find_pool(process.pool or cpu_pool or (queue.pool if queue else ""), platform)


def find_pool(name: str, platform: PlatformSpec) -> PoolOffer | None:
    """The pool of that name; None when the platform does not have it."""
    return next((pool for pool in platform.pools if pool.name == name), None)


def process_of(role: str, placement: PlacementSpec) -> PoolSpec:
    """What the placement says of a role."""
    process: PoolSpec = getattr(placement, role)
    return process


def nodes_of(pool: PoolOffer) -> NodePool:
    """The nodes of a pool; small ones without GPUs where the platform says nothing of them."""
    return pool.nodes or NodePool()


def processes_per_pod(replicas: int, process: PoolSpec, nodes: NodePool) -> int:
    """The largest divisor of `replicas` that fits a node; 1 when not even one process does."""
    room = nodes.cpus_per_node // process.cpus
    if process.gpus:
        room = min(room, nodes.gpus_per_node // process.gpus)
    return max((n for n in range(1, min(room, replicas) + 1) if replicas % n == 0), default=1)


def _group(role: str, placement: PlacementSpec, pool: PoolOffer) -> Group:
    process = process_of(role, placement)
    processes = processes_per_pod(process.replicas, process, nodes_of(pool))
    return Group(role, pool, process.replicas // processes, processes, process)
