"""`python -m vppo_services.driver`: one attempt at a job, from its file to its exit code.

Nothing heavy is imported here: the attempt says that it starts, and hears a request to stop, from
its first moment.
"""

import argparse
import logging
import os
import sys
from pathlib import Path
from typing import NoReturn

from vppo_core.errors import InvalidSpecError, VPPOError
from vppo_core.spec.job import VPPOJob
from vppo_core.spec.loading import load_job
from vppo_services.driver.attempt import Attempt, Ending, next_number
from vppo_services.driver.drain import Drain
from vppo_services.driver.lock import hold
from vppo_services.observability.logging import configure

_log = logging.getLogger("vppo_services.driver")


def main(arguments: list[str] | None = None) -> int:
    """Exit code: 0 done or stopped on request, otherwise that of the failure's class."""
    drain = Drain()
    drain.install()
    options = _parser().parse_args(arguments)
    folder: Path = options.output
    level = logging.WARNING if options.quiet else logging.INFO
    configure(None, job=folder.name, level=level)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        hold(folder, os.environ)
    except InvalidSpecError as error:
        # The folder is another attempt's: nothing is written into it.
        _log.error("%s: %s", error.failure_class, error)
        return error.exit_code
    number = options.attempt or next_number(folder)
    configure(folder, job=folder.name, attempt=number, level=level)
    attempt = Attempt(folder, number)
    attempt.keep_writing()
    try:
        _run(options, attempt, drain)
    except BaseException as error:
        if attempt.ending is None:
            attempt.ends(_ending(error, attempt, drain))
        else:
            _log.exception("after the end of attempt %d", number)
    assert attempt.ending is not None
    if drain.requested and not attempt.is_training:
        _leave(attempt.ending.exit_code)
    return attempt.ending.exit_code


def _leave(exit_code: int) -> NoReturn:
    """End without Python's own end, in which a Ray that was interrupted at its start may crash."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_code)


def _run(options: argparse.Namespace, attempt: Attempt, drain: Drain) -> None:
    job = _read_job(options.job)
    attempt.expects(job.spec.learner.num_steps)
    drain.check()
    from vppo_services.driver.open import Opening
    from vppo_services.driver.progress import ProgressView
    from vppo_services.driver.session import run_attempt

    drain.check()
    with ProgressView(job.spec.learner.num_steps, quiet=options.quiet) as progress:
        run_attempt(
            Opening(
                job=job,
                folder=options.output,
                resume=options.resume,
                attempt=attempt,
                drain=drain,
                progress=progress,
            )
        )


def _read_job(path: Path) -> VPPOJob:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSpecError(
            f"--job must name a job file, got '{path}' ({error}); correct the path"
        ) from error
    return load_job(text)


def _ending(error: BaseException, attempt: Attempt, drain: Drain) -> Ending:
    """What an exception means; before training, whatever follows a request to stop is a stop."""
    if drain.requested and not attempt.is_training:
        _log.info("stopped before the first step")
        return Ending("Stopped", message="stopped before the first step")
    if isinstance(error, VPPOError):
        _log.error("%s: %s", error.failure_class, error)
        return Ending("Failed", error.exit_code, error.failure_class, str(error))
    _log.critical("an error that nobody expected", exc_info=error)
    return Ending("Failed", 1, VPPOError.failure_class, f"{type(error).__name__}: {error}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m vppo_services.driver", description=__doc__)
    parser.add_argument("--job", type=Path, required=True, help="resolved job, JSON")
    parser.add_argument("--output", type=Path, required=True, help="folder of the run")
    parser.add_argument("--attempt", type=int, help="its number; default: one more than there are")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    parser.add_argument("--quiet", action="store_true", help="warnings and errors only")
    return parser


if __name__ == "__main__":
    sys.exit(main())
