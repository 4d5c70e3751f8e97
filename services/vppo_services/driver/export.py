"""`python -m vppo_services.driver.export SRC DEST`: a checkpoint as a Hugging Face folder."""

import argparse
import sys
from pathlib import Path

import fsspec
import torch.distributed as dist
from torch._C._distributed_c10d import HashStore

from vppo_core.errors import CheckpointError, VPPOError
from vppo_core.spec.job import VPPOJob
from vppo_services.demo.ensure import resolve_job
from vppo_services.learner.engine import LearnerEngine


def export(source: str, destination: Path) -> str:
    """Write the newest checkpoint of a run, or the checkpoint named, to a folder.

    Returns the checkpoint's address.

    Raises:
        CheckpointError: there is no complete checkpoint at the source.
    """
    checkpoint = _checkpoint(source)
    with fsspec.open(f"{checkpoint}/job.json", "rb") as file:
        job = VPPOJob.model_validate_json(file.read())
    store = HashStore()
    dist.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        engine = LearnerEngine(resolve_job(job.spec))
        engine.restore(f"{checkpoint}/learner")
        engine.export(destination)
    finally:
        dist.destroy_process_group()
    return checkpoint


def _checkpoint(source: str) -> str:
    for root in (source, f"{source.rstrip('/')}/checkpoints"):
        fs, path = fsspec.core.url_to_fs(root)
        if fs.exists(f"{path}/COMPLETE"):
            return root
        steps = sorted(fs.glob(f"{path}/step-*/COMPLETE"))
        if steps:
            return str(fs.unstrip_protocol(steps[-1].rsplit("/", 1)[0]))
    raise CheckpointError(
        f"no complete checkpoint at '{source}'; name a run's folder, or one of its step folders "
        "that holds a COMPLETE file"
    )


def main(arguments: list[str] | None = None) -> int:
    """Exit code of the command."""
    parser = argparse.ArgumentParser(prog="vppo export", description=__doc__)
    parser.add_argument("source")
    parser.add_argument("destination", type=Path)
    options = parser.parse_args(arguments)
    try:
        checkpoint = export(options.source, options.destination)
    except VPPOError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    sys.stdout.write(f"{checkpoint} -> {options.destination}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
