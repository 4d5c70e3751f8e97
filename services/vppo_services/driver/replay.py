"""`python -m vppo_services.driver.replay RUN`: brings MLflow what still waits in a run's folder."""

import argparse
import json
import os
import sys
from pathlib import Path

from vppo_core.errors import InvalidSpecError
from vppo_services.driver.lock import hold
from vppo_services.observability.mlflow import MlflowSink
from vppo_services.observability.mlflow_delivery import connect
from vppo_services.observability.tracker import MLFLOW_FOLDER


def replay(run_folder: Path, *, timeout_seconds: float) -> tuple[int, int]:
    """How many records were delivered, and how many still wait.

    Raises:
        InvalidSpecError: no run reported from this folder, or an attempt holds it.
    """
    folder = run_folder / MLFLOW_FOLDER
    try:
        state = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        where = {"uri": state["uri"], "experiment": state["experiment"], "run_name": state["job"]}
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InvalidSpecError(
            f"'{run_folder}' must be the folder of a run that reported to MLflow ({error}); "
            "name the folder that has 'job.json' in it"
        ) from error
    hold(run_folder, os.environ)
    sink = MlflowSink(where.pop("uri"), folder=folder, spool_bytes=2**40, connect=connect, **where)
    waiting = sink.pending
    sink.replay(timeout_seconds)
    return waiting - sink.pending, sink.pending


def main(arguments: list[str] | None = None) -> int:
    """Exit code: 0 when nothing waits any more."""
    parser = argparse.ArgumentParser(prog="python -m vppo_services.driver.replay")
    parser.add_argument("run", type=Path, help="folder of the run")
    parser.add_argument("--seconds", type=float, default=600.0, help="to try at most")
    options = parser.parse_args(arguments)
    try:
        delivered, waiting = replay(options.run, timeout_seconds=options.seconds)
    except InvalidSpecError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    sys.stdout.write(f"{delivered} records delivered to MLflow, {waiting} still wait\n")
    return 1 if waiting else 0


if __name__ == "__main__":
    sys.exit(main())
