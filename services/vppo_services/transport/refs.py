"""A batch in the object store, with what the driver may know of it without fetching it."""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import ray

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class BatchRef(Generic[T]):
    """Reference to a batch; the driver plans with its numbers and leaves the arrays alone."""

    ref: Any
    rows: int
    num_bytes: int
    policy_version: int


@dataclass(frozen=True, slots=True)
class BatchInfo:
    """What a producer says of a batch that it streams, ahead of the batch itself.

    The caller learns whose group it is, and what it weighs, without fetching it.
    """

    position: int  # of the prompt among those asked
    rows: int
    num_bytes: int
    response_tokens: int
    policy_version: int


def put(batch: T, *, rows: int, num_bytes: int, policy_version: int) -> BatchRef[T]:
    """Store a batch and describe it."""
    return BatchRef(ray.put(batch), rows, num_bytes, policy_version)
