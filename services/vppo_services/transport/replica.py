"""What every process that answers with the learner's weights does to follow them."""

from collections.abc import Iterable
from typing import Protocol

import torch

from vppo_services.transport.busy import Span
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
        *,
        role: str,
        replica: int,
        device: str,
        timeout_seconds: float,
    ) -> None:
        """Serve an engine; no group is joined yet.

        Args:
            replica: number of the process within its role.
            device: where weights are received, `cpu` or `cuda`.
            timeout_seconds: bound of joining and of each transfer.
        """
        self._reader = engine
        self._device = device
        self._timeout = timeout_seconds
        self._receiver: WeightReceiver | None = None
        self._metrics = RoleMetrics(role, replica, device=device)
        self._metrics.has_version(engine.policy_version)

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

    def take_spans(self) -> list[Span]:
        """When this replica computed since it was last asked."""
        return self._metrics.take_spans()

    def ping(self) -> int:
        """The policy version, when the process is alive."""
        return self._reader.policy_version
