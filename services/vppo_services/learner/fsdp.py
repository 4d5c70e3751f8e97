"""FSDP2: which parts of the model are gathered together, and in which numbers."""

from typing import Any

import torch
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

from vppo_services.policy.policy import Policy


def shard(policy: Policy, mesh: DeviceMesh, *, compute_dtype: torch.dtype) -> None:
    """Shard every language block on its own and the rest as one group, in place.

    The vision tower belongs to the root group: a rank whose micro-batch has no image never runs the
    tower, and a tower with collectives of its own would then wait for that rank for ever.
    """
    precision = MixedPrecisionPolicy(param_dtype=compute_dtype, reduce_dtype=_reduce(compute_dtype))
    for block in policy.model.model.language_model.layers:
        fully_shard(block, mesh=mesh, mp_policy=precision)
    fully_shard(policy, mesh=mesh, mp_policy=precision, reshard_after_forward=False)


def enable_gradient_checkpointing(policy: Policy) -> None:
    """Recompute each language and vision block in the backward pass instead of keeping it."""
    policy.model.gradient_checkpointing_enable({"use_reentrant": False})
    # transformers recomputes only in training mode, on which nothing else in a block depends.
    for module in policy.modules():
        if hasattr(module, "gradient_checkpointing"):
            module.training = True


def full_tensor(parameter: torch.Tensor) -> torch.Tensor:
    """The whole parameter on every rank; a collective."""
    gather: Any = getattr(parameter, "full_tensor", None)
    whole = parameter if gather is None else gather()
    assert isinstance(whole, torch.Tensor)
    return whole.detach()


def _reduce(compute_dtype: torch.dtype) -> torch.dtype:
    return torch.promote_types(compute_dtype, torch.float32)
