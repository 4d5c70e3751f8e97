"""What every process that answers with the learner's weights does to follow them."""

from collections.abc import Iterable
from typing import Protocol

import torch

from vppo_services.transport.report import RoleReport
from vppo_services.transport.role_log import RoleLog
from vppo_services.transport.role_metrics import RoleMetrics
from vppo_services.transport.weights import WeightManifest, WeightReceiver


class WeightReader(Protocol):
    """An engine whose weights are replaced in place."""

    @property
    def policy_version(self) -> int:
        """Version of the weights that answer; 0 is the loaded checkpoint."""

    def load_weights(self, tensors: Iterable[tuple[str, torch.Tensor]], version: int) -> None:
        """Replace the weights; `version` is what `policy_version` is from now on."""


class Replica:
    """One engine behind remote calls; weights arrive between two of them."""

    def __init__(
        self,
        engine: WeightReader,
        log: RoleLog,
        *,
        role: str,
        replica: int,
        device: str,
        timeout_seconds: float,
    ) -> None:
        """Serve an engine; no group is joined yet.

        Args:
            log: of this process, from before its engine was made.
            replica: number of the process within its role.
            device: where weights are received, `cpu` or `cuda`.
            timeout_seconds: bound of joining and of each transfer.
        """
        self._reader = engine
        self._log = log
        self._device = device
        self._timeout = timeout_seconds
        self._receiver: WeightReceiver | None = None
        self._metrics = RoleMetrics(role, replica, device=device)
        self._metrics.has_version(engine.policy_version)
        log.ready(f"the model is loaded on {device}")

    def connect_weights(self, address: str, rank: int, world: int) -> None:
        """Join the learner's broadcast group."""
        self._receiver = WeightReceiver.connect(
            address, rank, world, device=self._device, timeout_seconds=self._timeout
        )

    def receive_weights(self, manifest: WeightManifest, version: int) -> int:
        """Take one transfer; the version that this replica answers with from now on."""
        assert self._receiver is not None
        with self._metrics.syncing():
            self._reader.load_weights(self._receiver.receive(manifest), version)
        self._metrics.has_version(self._reader.policy_version)
        return self._reader.policy_version

    def report(self, next_step: int) -> RoleReport:
        """What this replica did since it was last asked; from here on it works for `next_step`."""
        return RoleReport.of(self._metrics, self._log, next_step=next_step)

    def ping(self) -> int:
        """The policy version, when the process is alive."""
        return self._reader.policy_version
