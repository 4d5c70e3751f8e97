"""`python -m vppo_services.driver`: one attempt at a job, from its file to its exit code.

Nothing heavy is imported here: the attempt says that it starts, and hears a request to stop, from
its first moment.
"""

import argparse
import json
import logging
import os
import sys
import time
from pathlib import Path
from typing import NoReturn

from vppo_core.errors import InvalidSpecError, VPPOError
from vppo_core.spec.job import VPPOJob
from vppo_core.spec.loading import load_job
from vppo_core.spec.origin import request_of
from vppo_services.driver.attempt import Attempt, Ending, next_number
from vppo_services.driver.cluster import LOCK_SECONDS, ClusterAttempt
from vppo_services.driver.drain import Drain
from vppo_services.driver.lock import hold, hold_shared
from vppo_services.observability.logging import configure

_log = logging.getLogger("vppo_services.driver")


def main(arguments: list[str] | None = None) -> int:
    """Exit code: 0 done or stopped on request, otherwise that of the failure's class.

    Without arguments it is the attempt that the file mounted into its pod names.
    """
    drain = Drain()
    drain.install()
    given = sys.argv[1:] if arguments is None else arguments
    pod: ClusterAttempt | None = None
    try:
        pod = None if given else ClusterAttempt.found()
        options = _parser().parse_args(pod.arguments if pod else given)
        folder: Path = options.output
        level = logging.WARNING if options.quiet else logging.INFO
        configure(None, job=folder.name, level=level)
        folder.mkdir(parents=True, exist_ok=True)
        if pod is None:
            hold(folder, os.environ)
        else:
            hold_shared(folder, wait_seconds=LOCK_SECONDS, pause=lambda s: _wait(s, drain))
    except InvalidSpecError as error:
        # The folder is another attempt's: nothing is written into it.
        configure(None, job="unknown")
        _log.error("%s: %s", error.failure_class, error)
        return error.exit_code
    except KeyboardInterrupt:
        return 0  # asked to stop while another driver was awaited
    return _attempt(options, drain, pod)


def _attempt(options: argparse.Namespace, drain: Drain, pod: ClusterAttempt | None) -> int:
    folder: Path = options.output
    number = options.attempt or next_number(folder)
    ended = pod.enter() if pod else None
    level = logging.WARNING if options.quiet else logging.INFO
    name, request = (pod.name, pod.request) if pod else _origin(options.job)
    configure(folder, job=name or folder.name, attempt=number, request=request, level=level)
    if pod and ended is not None:
        pod.report("")
        pod.leave(f"attempt {number} had ended before, with exit code {ended}")
        return ended
    attempt = Attempt(folder, number)
    attempt.keep_writing()
    if pod:
        pod.report(attempt.incarnation)
    try:
        _run(options, attempt, drain, is_in_pod=pod is not None, request=request)
    except BaseException as error:
        if attempt.ending is None:
            attempt.ends(_ending(error, attempt, drain))
        else:
            _log.exception("after the end of attempt %d", number)
    ending = attempt.ending
    assert ending is not None
    if pod:
        pod.leave(f"attempt {number}: {ending.outcome} {ending.message}".strip())
    if drain.requested and not attempt.is_training:
        _leave(ending.exit_code)
    return ending.exit_code


def _origin(job: Path) -> tuple[str, str]:
    """Name of the job, and id of the request that made it, as a launcher writes them into the job's
    file; empty where they are not known, or the file is none that can be read."""
    try:
        meta = json.loads(job.read_bytes())["metadata"]
        return str(meta.get("name") or ""), request_of(meta.get("annotations") or {})
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return "", ""


def _wait(seconds: float, drain: Drain) -> None:
    drain.check()
    time.sleep(seconds)


def _leave(exit_code: int) -> NoReturn:
    """End without Python's own end, in which a Ray that was interrupted at its start may crash."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_code)


def _run(
    options: argparse.Namespace, attempt: Attempt, drain: Drain, *, is_in_pod: bool, request: str
) -> None:
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
                is_on_cluster=is_in_pod,
                request=request,
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
