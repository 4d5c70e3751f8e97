"""A learner rank as a Ray process."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import ray

from vppo_core.batch.prompts import PromptBatch
from vppo_core.batch.training import TrainingBatch
from vppo_core.spec.job import VPPOJobSpec
from vppo_services.learner.metrics import UpdateMetrics
from vppo_services.transport.report import RoleReport
from vppo_services.transport.role_log import RoleLog
from vppo_services.transport.role_metrics import RoleMetrics
from vppo_services.transport.threads import pin_threads
from vppo_services.transport.weights import WeightManifest, WeightSender


class LearnerDeployment:
    """One FSDP2 rank; the driver calls every rank with the same arguments."""

    def __init__(self, job: VPPOJobSpec, rank: int) -> None:
        pool = job.placement.learner
        pin_threads(pool.cpus)
        self._log = RoleLog("learner", rank)
        self._job = job
        self._rank = rank
        self._device = "cuda" if pool.gpus else "cpu"
        self._timeout = job.learner.timeout_seconds
        self._store: Any = None
        self._sender: WeightSender | None = None
        self._metrics = RoleMetrics("learner", rank, device=self._device)

    def open_rendezvous(self) -> str:
        """Address at which rank 0 awaits the other ranks, on a free port."""
        from torch._C._distributed_c10d import TCPStore

        host = ray.util.get_node_ip_address()
        timeout = timedelta(seconds=self._timeout)
        self._store = TCPStore(host, 0, is_master=True, wait_for_workers=False, timeout=timeout)
        return f"{host}:{self._store.port}"

    def load(self, address: str) -> WeightManifest:
        """Join the ranks, load the model; what will be published."""
        import torch.distributed as dist
        from torch._C._distributed_c10d import TCPStore

        from vppo_services.learner.engine import LearnerEngine

        timeout = timedelta(seconds=self._timeout)
        if self._store is None:
            host, _, port = address.rpartition(":")
            self._store = TCPStore(host, int(port), is_master=False, timeout=timeout)
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if self._device == "cuda" else "gloo",
            store=self._store,
            rank=self._rank,
            world_size=self._job.placement.learner.replicas,
            timeout=timeout,
        )
        self._engine = LearnerEngine(self._job, device=self._device)
        self._log.ready(f"the model is loaded on {self._device}")
        return self._engine.manifest()

    def open_weights(self) -> str:
        """Address of the broadcast group; rank 0 only."""
        host = ray.util.get_node_ip_address()
        self._sender = WeightSender(host, device=self._device, timeout_seconds=self._timeout)
        return self._sender.address

    def connect_weights(self, world: int) -> None:
        """Wait for all receivers; rank 0 only."""
        assert self._sender is not None
        self._sender.connect(world)

    def send_weights(self, version: int) -> None:
        """Broadcast the weights to all receivers, as `version`."""
        with self._metrics.syncing():
            self._engine.send_weights(self._sender)
        self._metrics.has_version(version)

    def update(self, batch: TrainingBatch, *prompts: PromptBatch) -> UpdateMetrics:
        """One optimizer step on a mini-batch."""
        with self._metrics.working():
            metrics = self._engine.update(batch, prompts)
        if not metrics.is_skipped:
            self._metrics.add("replica_tokens_trained", metrics.rank_tokens)
        return metrics

    def report(self, next_step: int) -> RoleReport:
        """What this rank did since it was last asked; from here on it works for `next_step`."""
        return RoleReport.of(self._metrics, self._log, next_step=next_step)

    def start_save(self, folder: str) -> None:
        """Begin to write the learner's part of a checkpoint."""
        self._engine.start_save(folder)

    def is_saved(self) -> bool:
        """Whether no write is on its way any more."""
        return self._engine.is_saved()

    def finish_save(self) -> None:
        """Wait for the write that `start_save` began."""
        self._engine.finish_save()

    def restore(self, folder: str) -> None:
        """Load the learner's part of a checkpoint."""
        self._engine.restore(folder)

    def export(self, folder: str) -> None:
        """Write a Hugging Face folder."""
        self._engine.export(Path(folder))

    def ping(self) -> int:
        """The rank, when the process is alive."""
        return self._rank


def start(job: VPPOJobSpec, rank: int, options: dict[str, Any]) -> Any:
    """A handle to a new rank; `options` are Ray's."""
    return ray.remote(LearnerDeployment).options(**options).remote(job, rank)
