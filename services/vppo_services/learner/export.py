"""A checkpoint of a run as a Hugging Face folder, made by one process without Ray."""

import json
from collections.abc import Iterator
from pathlib import Path

import fsspec
import torch.distributed as dist
from torch._C._distributed_c10d import HashStore

from vppo_core.errors import CheckpointError
from vppo_core.spec.job import VPPOJob, VPPOJobSpec
from vppo_services.learner.engine import LearnerEngine


def find_checkpoint(source: str) -> str:
    """Address of the checkpoint that is named, or of the newest complete one of a run.

    Args:
        source: a checkpoint's folder, a run's folder, or the folder of a run's checkpoints.

    Raises:
        CheckpointError: there is no complete checkpoint at the source, or it cannot be looked at.
    """
    try:
        for root in _roots(source.rstrip("/")):
            fs, path = fsspec.core.url_to_fs(root)
            if fs.exists(f"{path}/COMPLETE"):
                return root
            steps = sorted(map(str, fs.glob(f"{path}/step-*/COMPLETE")), key=_step)
            if steps:
                return str(fs.unstrip_protocol(steps[-1].rsplit("/", 1)[0])).removeprefix("file://")
    except (OSError, ValueError, ImportError) as error:
        raise CheckpointError(
            f"the checkpoint at '{source}' cannot be opened: {error}; give a folder, or an address "
            "whose fsspec driver is installed"
        ) from error
    raise CheckpointError(
        f"no complete checkpoint at '{source}'; name a run's folder, or one of its step folders "
        "that holds a COMPLETE file"
    )


def checkpoint_step(checkpoint: str) -> int:
    """Steps that were done when the checkpoint was written."""
    return int(json.loads(_read(checkpoint, "COMPLETE"))["step"])


def checkpoint_job(checkpoint: str) -> VPPOJob:
    """The job that wrote the checkpoint, with its sources as they were asked for.

    Raises:
        CheckpointError: its file is missing or damaged.
    """
    try:
        return VPPOJob.model_validate_json(_read(checkpoint, "job.json"))
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"'{checkpoint}/job.json' must hold the job that wrote the checkpoint, and cannot be "
            f"read: {str(error).splitlines()[0]}; use another checkpoint"
        ) from error


def export_checkpoint(checkpoint: str, spec: VPPOJobSpec, destination: Path) -> None:
    """Write weights, configuration and processor of a checkpoint to a folder.

    Args:
        checkpoint: an address that `find_checkpoint` gave.
        spec: that of the checkpoint's job, with sources that exist here.
    """
    dist.init_process_group("gloo", store=HashStore(), rank=0, world_size=1)
    try:
        engine = LearnerEngine(spec)
        engine.restore(f"{checkpoint}/learner")
        engine.export(destination)
    finally:
        dist.destroy_process_group()


def _roots(source: str) -> Iterator[str]:
    """Where checkpoints may lie: at the source, below it, or where the run in it wrote them."""
    yield source
    yield f"{source}/checkpoints"
    fs, path = fsspec.core.url_to_fs(source)
    if fs.exists(f"{path}/job.json"):
        elsewhere = checkpoint_job(source).spec.checkpoint.uri
        if elsewhere:
            yield elsewhere


def _read(folder: str, name: str) -> bytes:
    with fsspec.open(f"{folder}/{name}", "rb") as file:
        data: bytes = file.read()
    return data


def _step(path: str) -> int:
    name = path.rsplit("/", 2)[-2].removeprefix("step-")
    return int(name) if name.isdigit() else -1
