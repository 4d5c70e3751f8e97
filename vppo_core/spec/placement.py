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
    """Pool of the platform that they run on; empty means that of the queue, or the platform's pool
    for processes without GPUs."""


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
    """Shared memory for batches on a Ray node that the run starts itself, MiB."""

    secret: DnsName = ""
    """On a cluster: a Secret of the job's namespace, whose entries, such as `HF_TOKEN`, become the
    environment of all processes."""
