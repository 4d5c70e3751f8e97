"""Weights arrive as they were sent, and a receiver that leaves does not stall the sender."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from vppo_core.errors import RoleTimeoutError
from vppo_services.transport import weights
from vppo_services.transport.weights import (
    TensorEntry,
    WeightManifest,
    WeightReceiver,
    WeightSender,
)

TENSORS = {
    "a": torch.randn(3, 5),
    "half": torch.randn(7).to(torch.bfloat16),
    "odd bytes": torch.arange(3, dtype=torch.uint8),
    "after odd bytes": torch.randn(2, 2, dtype=torch.float64),
    "scalar": torch.tensor(4.5),
}
MANIFEST = WeightManifest(
    tuple(
        TensorEntry(name, tuple(t.shape), str(t.dtype).removeprefix("torch."))
        for name, t in TENSORS.items()
    )
)


def connect(receivers: int, timeout: float = 20.0) -> tuple[WeightSender, list[WeightReceiver]]:
    sender = WeightSender("127.0.0.1", device="cpu", timeout_seconds=timeout)
    world = receivers + 1
    with ThreadPoolExecutor(world) as pool:
        joins = [
            pool.submit(
                WeightReceiver.connect,
                sender.address,
                rank,
                world,
                device="cpu",
                timeout_seconds=timeout,
            )
            for rank in range(1, world)
        ]
        sender.connect(world)
        return sender, [join.result() for join in joins]


@pytest.mark.parametrize("bucket_bytes", [1, 64, 2**28], ids=["one-each", "some", "all"])
def test_all_receivers_get_every_tensor(monkeypatch: pytest.MonkeyPatch, bucket_bytes: int) -> None:
    monkeypatch.setattr(weights, "_BUCKET_BYTES", bucket_bytes)
    sender, receivers = connect(2)
    with ThreadPoolExecutor(2) as pool:
        taken = [pool.submit(lambda r=r: dict(r.receive(MANIFEST))) for r in receivers]
        sender.send(MANIFEST, TENSORS.values())
        for result in taken:
            got = result.result()
            assert list(got) == list(TENSORS)
            assert all(torch.equal(got[name], TENSORS[name]) for name in TENSORS)


def test_manifest_knows_its_weight() -> None:
    assert MANIFEST.num_bytes == sum(t.nbytes for t in TENSORS.values())


def test_a_receiver_that_never_takes_its_part_is_a_time_out() -> None:
    sender, receivers = connect(1, timeout=1.0)
    big = WeightManifest((TensorEntry("big", (2**22,), "float32"),))
    with pytest.raises(RoleTimeoutError, match="weight transfer failed"):
        sender.send(big, [torch.zeros(2**22)])
    del receivers
