"""The learner's part of a checkpoint, through `torch.distributed.checkpoint`.

The state is copied on the spot and written in the background, so training waits for the copy only.
A checkpoint of some ranks loads on any other number of ranks.
"""

from concurrent.futures import Future
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.checkpoint._fsspec_filesystem import FsspecReader, FsspecWriter
from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import async_save

from vppo_core.errors import CheckpointError
from vppo_services.policy.policy import Policy


class CheckpointFiles:
    """Saves and loads one policy and its optimizer under an fsspec address."""

    def __init__(self, policy: Policy, optimizer: torch.optim.Optimizer) -> None:
        self._policy = policy
        self._optimizer = optimizer
        # A group of its own: the background write must not mix its messages with a training step's.
        self._group = dist.new_group(backend="gloo")
        self._pending: Future[Any] | None = None

    def start_save(self, folder: str, counters: dict[str, int]) -> None:
        """Begin to write; the weights may change as soon as this returns."""
        state = self._state(counters)
        saving: Any = async_save(
            state, storage_writer=FsspecWriter(folder), process_group=self._group
        )
        self._pending = saving

    def is_saved(self) -> bool:
        """Whether no write is on its way any more."""
        return self._pending is None or self._pending.done()

    def finish_save(self) -> None:
        """Wait for the write.

        Raises:
            CheckpointError: the write failed, for instance because the disk is full.
        """
        pending, self._pending = self._pending, None
        if pending is None:
            return
        error = pending.exception()
        if error is not None:
            raise CheckpointError(f"checkpoint was not written: {_cause(error)}") from error

    def restore(self, folder: str, counters: dict[str, int]) -> dict[str, int]:
        """Load weights and optimizer state in place; the counters that were saved."""
        state = self._state(counters)
        load(state, storage_reader=FsspecReader(folder), process_group=self._group)
        set_state_dict(
            self._policy,
            self._optimizer,
            model_state_dict=state["model"],
            optim_state_dict=state["optimizer"],
        )
        return {name: int(value) for name, value in state["counters"].items()}

    def _state(self, counters: dict[str, int]) -> dict[str, Any]:
        model, optimizer = get_state_dict(self._policy, self._optimizer)
        values = {name: torch.tensor(value) for name, value in counters.items()}
        return {"model": model, "optimizer": optimizer, "counters": values}


def _cause(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[-1] if text else ''}"
