"""Weights from the learner to its readers: one broadcast group, outside the object store.

The group is a process group of its own (gloo on CPUs, NCCL on GPUs), beside whatever default group
a role or vLLM has. Rank 0 sends; every other rank is a rollout or dependency replica. Tensors are
broadcast in buckets of bytes, so small ones do not cost a message each.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch._C._distributed_c10d import PrefixStore, Store, TCPStore

from vppo_core.errors import RoleTimeoutError

_BUCKET_BYTES = 256 * 2**20


@dataclass(frozen=True, slots=True)
class TensorEntry:
    """Name, shape and number format of one tensor on the way."""

    name: str
    shape: tuple[int, ...]
    dtype: str

    @property
    def num_bytes(self) -> int:
        """Bytes of the tensor."""
        return torch.Size(self.shape).numel() * self.torch_dtype.itemsize

    @property
    def torch_dtype(self) -> torch.dtype:
        """The number format as torch names it."""
        dtype = getattr(torch, self.dtype)
        assert isinstance(dtype, torch.dtype)
        return dtype


@dataclass(frozen=True, slots=True)
class WeightManifest:
    """All tensors of a transfer, in the order in which they are sent."""

    entries: tuple[TensorEntry, ...]

    @property
    def num_bytes(self) -> int:
        """Bytes of the whole transfer."""
        return sum(entry.num_bytes for entry in self.entries)

    def buckets(self) -> Iterator[tuple[TensorEntry, ...]]:
        """Consecutive entries of about 256 MiB; a larger tensor has a bucket of its own."""
        bucket: list[TensorEntry] = []
        size = 0
        for entry in self.entries:
            if bucket and size + entry.num_bytes > _BUCKET_BYTES:
                yield tuple(bucket)
                bucket, size = [], 0
            bucket.append(entry)
            size += entry.num_bytes
        if bucket:
            yield tuple(bucket)


class WeightSender:
    """Rank 0 of the group: it opens the rendezvous and sends."""

    def __init__(self, host: str, *, device: str, timeout_seconds: float) -> None:
        """Open a rendezvous on a free port of `host`; nobody is awaited yet."""
        self._timeout = timedelta(seconds=timeout_seconds)
        self._store = TCPStore(
            host, 0, is_master=True, wait_for_workers=False, timeout=self._timeout
        )
        self._device = device
        self._group: Any = None
        self.address = f"{host}:{self._store.port}"

    def connect(self, world: int) -> None:
        """Wait until all `world - 1` receivers are there."""
        self._group = _process_group(self._store, 0, world, self._device, self._timeout)

    def send(self, manifest: WeightManifest, tensors: Iterable[torch.Tensor]) -> None:
        """Broadcast the tensors of the manifest, in its order.

        Raises:
            RoleTimeoutError: a receiver did not take its part in time.
        """
        source = iter(tensors)
        for bucket in manifest.buckets():
            parts = [_as_bytes(next(source)) for _ in bucket]
            _broadcast(self._group, torch.cat(parts).to(self._device))


class WeightReceiver:
    """Any other rank of the group."""

    def __init__(self, group: Any, device: str) -> None:
        self._group = group
        self._device = device

    @classmethod
    def connect(
        cls, address: str, rank: int, world: int, *, device: str, timeout_seconds: float
    ) -> "WeightReceiver":
        """Join the group whose sender listens at `address` (`host:port`)."""
        host, _, port = address.rpartition(":")
        timeout = timedelta(seconds=timeout_seconds)
        store = TCPStore(host, int(port), is_master=False, timeout=timeout)
        return cls(_process_group(store, rank, world, device, timeout), device)

    def receive(self, manifest: WeightManifest) -> Iterator[tuple[str, torch.Tensor]]:
        """Names and tensors of one transfer, bucket by bucket.

        The iterator must be read to its end, or the sender waits for the rest.
        """
        for bucket in manifest.buckets():
            size = sum(entry.num_bytes for entry in bucket)
            buffer = torch.empty(size, dtype=torch.uint8, device=self._device)
            _broadcast(self._group, buffer)
            start = 0
            for entry in bucket:
                part = buffer[start : start + entry.num_bytes]
                start += entry.num_bytes
                # A clone starts at an aligned address, which a view of bytes needs.
                yield entry.name, part.clone().view(entry.torch_dtype).view(entry.shape)


def _as_bytes(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.detach().contiguous().flatten().view(torch.uint8)


def _process_group(store: Store, rank: int, world: int, device: str, timeout: timedelta) -> Any:
    prefixed = PrefixStore("weights", store)
    if device == "cpu":
        return dist.ProcessGroupGloo(prefixed, rank, world, timeout)
    options = dist.ProcessGroupNCCL.Options()
    options._timeout = timeout
    return dist.ProcessGroupNCCL(prefixed, rank, world, options)


def _broadcast(group: Any, buffer: torch.Tensor) -> None:
    options = dist.BroadcastOptions()
    options.rootRank = 0
    try:
        group.broadcast([buffer], options).wait()
    except RuntimeError as error:
        raise RoleTimeoutError(
            f"weight transfer failed: {error}; a replica left the group or did not answer in time"
        ) from error
