"""How many processes each role has, and what each may use."""

from typing import Annotated

from pydantic import Field

from vppo_core.spec.base import SpecModel
from vppo_core.spec.cluster import DnsName, PoolName

Count = Annotated[int, Field(ge=1, le=4096)]
Threads = Annotated[int, Field(ge=1, le=512)]
Gpus = Annotated[int, Field(ge=0, le=64)]


class PoolSpec(SpecModel):
    """A pool of equal processes."""

    replicas: Count = 1
    """Processes in the pool."""

    cpus: Threads = 1
    """CPU threads of one process."""

    gpus: Gpus = 0
    """GPUs of one process."""

    pool: PoolName = ""
    """A pool of the platform; empty means that of the queue, or, without GPUs, the platform's
    `cluster.cpuPool`."""


class PlacementSpec(SpecModel):
    """One pool for each role."""

    rollout: PoolSpec = PoolSpec()
    """Sampling replicas."""

    reward: PoolSpec = PoolSpec()
    """Grading processes."""

    dependency: PoolSpec = PoolSpec()
    """Scoring replicas."""

    learner: PoolSpec = PoolSpec()
    """FSDP2 ranks."""

    object_store_mib: Annotated[int, Field(ge=80, le=1_048_576)] = 256
    """Shared memory for batches on each Ray node that is started for the run, MiB; on a cluster at
    most three tenths of a pod's memory."""

    secret: DnsName = ""
    """The name of a Secret in the job's namespace, on a cluster; its entries, such as `HF_TOKEN`,
    become the environment of all processes."""
