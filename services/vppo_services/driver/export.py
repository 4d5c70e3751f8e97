"""`python -m vppo_services.driver.export SRC DEST`: a checkpoint as a Hugging Face folder."""

import argparse
import sys
from pathlib import Path

from vppo_core.errors import VPPOError
from vppo_services.demo.ensure import resolve_job
from vppo_services.learner.export import checkpoint_job, export_checkpoint, find_checkpoint


def export(source: str, destination: Path) -> str:
    """Write the newest checkpoint of a run, or the checkpoint named, to a folder.

    Returns the checkpoint's address.

    Raises:
        CheckpointError: there is no complete checkpoint at the source.
    """
    checkpoint = find_checkpoint(source)
    export_checkpoint(checkpoint, resolve_job(checkpoint_job(checkpoint).spec), destination)
    return checkpoint


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
