"""`python -m vppo_services.driver`: one attempt at a job, from its file to its exit code."""

import argparse
import fcntl
import logging
import sys
from pathlib import Path
from typing import Any, TextIO

import ray

from vppo_core.errors import InvalidSpecError, VPPOError
from vppo_services.driver.finish import finish
from vppo_services.driver.loop import train
from vppo_services.driver.open import open_run, read_job
from vppo_services.driver.run import Run
from vppo_services.observability.logging import configure

_log = logging.getLogger("vppo_services.driver")


def main(arguments: list[str] | None = None) -> int:
    """Exit code: 0 done or stopped on request, otherwise that of the failure's class."""
    parser = argparse.ArgumentParser(prog="python -m vppo_services.driver", description=__doc__)
    parser.add_argument("--job", type=Path, required=True, help="resolved job, JSON")
    parser.add_argument("--output", type=Path, required=True, help="folder of the run")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    parser.add_argument("--quiet", action="store_true", help="warnings and errors only")
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    level = logging.WARNING if options.quiet else logging.INFO
    configure(options.output, job=options.output.name, level=level)
    run: Run | None = None
    lock = (options.output / ".lock").open("w")
    try:
        _take(lock, options.output)
        job = read_job(options.job)
        run = open_run(job, options.output, resume=options.resume, quiet=options.quiet)
        if run.step == 0:
            run.evaluate()
        train(run)
        summary = finish(run)
        run.tracker.close("FINISHED")
        run.progress.say(_closing_words(summary, options.output))
    except VPPOError as error:
        _log.error("%s: %s", error.failure_class, error)
        if run is not None:
            run.tracker.close("FAILED", timeout_seconds=10.0)
        return error.exit_code
    finally:
        if run is not None:
            run.progress.__exit__()
        ray.shutdown()
    return 0


def _take(lock: TextIO, folder: Path) -> None:
    """Hold the folder for this process; the lock ends with it, however it ends."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise InvalidSpecError(
            f"--output must name a folder that no run is using, got '{folder}'; wait for that run, "
            "stop it, or choose another folder"
        ) from error


def _closing_words(summary: dict[str, Any], folder: Path) -> str:
    before, after = summary["accuracyBefore"], summary["accuracyAfter"]
    lines = [
        f"{summary['state'].lower()} at step {summary['step']} after {summary['seconds']:.0f} s"
    ]
    if after is not None:
        lines.append(f"held-out accuracy {before:.3f} -> {after:.3f}")
    lines.append(f"checkpoint {summary['checkpoint'] or 'none'}")
    if summary["model"]:
        lines.append(f"model      {summary['model']}")
    lines.append(f"report     {(folder / 'report.html').absolute()}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
