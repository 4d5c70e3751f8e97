"""An attempt in a pod: which one it is, what it has to have around it, whom it reports to.

On one machine the launcher gives a driver its folder, its output file and its arguments. In a pod
there is only a mounted file, and the entrypoint runs again when the head was restarted.
"""

import logging
import os
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from vppo_core.errors import InvalidSpecError
from vppo_core.runs.files import ExitFile
from vppo_core.runs.folder import RunFolder
from vppo_core.runs.protocol import ATTEMPT_FILE, ATTEMPT_VARIABLE, AttemptFile
from vppo_services.driver.courier import FLUSH_SECONDS, Courier
from vppo_services.driver.mirror import restore
from vppo_services.driver.receiver import AwayError, GoneError, Receiver, RefusedError
from vppo_services.local.manifest import write_environment

_log = logging.getLogger(__name__)

LOCK_SECONDS: Final = 150.0
"""How long a dead pod's lock may stand: a file server notices its death after 90 s."""

_RESTORE_SECONDS: Final = 30.0
_RETRY_SECONDS: Final = 2.0


class ClusterAttempt:
    """The attempt that this pod was made for."""

    def __init__(self, file: AttemptFile, folder: Path) -> None:
        """Nothing is read or written yet.

        Args:
            folder: that of the attempt file, which has `job.json` too.
        """
        self._file = file
        self._folder = folder
        self._run = RunFolder(Path(file.output).absolute())
        self._receiver = Receiver(file) if file.receiver else None
        self._courier: Courier | None = None
        self._launcher_output = -1

    @classmethod
    def found(cls) -> Self | None:
        """The attempt of this pod; None where there is no attempt file.

        Raises:
            InvalidSpecError: the file cannot be read as one.
        """
        path = Path(os.environ.get(ATTEMPT_VARIABLE) or ATTEMPT_FILE)
        if not path.exists() and ATTEMPT_VARIABLE not in os.environ:
            return None
        file = AttemptFile.read(path)
        if file is None:
            raise InvalidSpecError(
                f"'{path}' must be the attempt file of a job, and cannot be read as one; mount the "
                "ConfigMap of the attempt there"
            )
        return cls(file, path.parent)

    @property
    def arguments(self) -> list[str]:
        """The driver's arguments. It always resumes: the entrypoint may have run before."""
        job, number = self._folder / "job.json", str(self._file.attempt)
        places = ["--job", str(job), "--output", str(self._run.path)]
        return [*places, "--attempt", number, "--resume"]

    @property
    def name(self) -> str:
        """Name of the job."""
        return self._file.job

    @property
    def request(self) -> str:
        """Id of the request that made the job; empty where nobody knows it."""
        return self._file.request

    def enter(self) -> int | None:
        """Make the run folder what it is where a launcher starts drivers. The lock must be held.

        All output of this process goes to the attempt's `driver.out` from here on.

        Returns:
            The exit code of an attempt that has ended before: only its report is still due.

        Raises:
            OSError: the volume is full or refuses.
        """
        run, number = self._run, self._file.attempt
        run.attempt(number).mkdir(parents=True, exist_ok=True)
        self._launcher_output = _redirected(run.output(number))
        self._tell(f"attempt {number} of job {self._file.job} writes to {run.output(number)}")
        run.launched(number).touch()
        run.job.write_bytes((self._folder / "job.json").read_bytes())
        if not run.environment(number).exists():
            write_environment(run.environment(number))
        ended = ExitFile.read(run.exit(number))
        if ended is not None:
            return ended.exit_code
        self._restore()
        return None

    def report(self, incarnation: str) -> None:
        """Tell the operator from now on how far the attempt is."""
        if self._receiver is not None:
            self._courier = Courier(
                self._receiver, self._run, self._file.attempt, incarnation=incarnation
            )
            self._courier.start()

    def leave(self, words: str) -> None:
        """Deliver how it ended, for up to a minute, and say so to whoever started this process."""
        if self._courier is not None:
            self._courier.close(FLUSH_SECONDS)
        self._tell(words)

    def _restore(self) -> None:
        """Fetch the history of the run where the folder died with an earlier pod."""
        if not self._file.receiver:
            return
        # In a thread of its own, so that a receiver that is slow cannot hold up the start for long.
        is_late = threading.Event()
        thread = threading.Thread(target=self._restored, args=(is_late,), daemon=True)
        thread.start()
        thread.join(_RESTORE_SECONDS)
        is_late.set()

    def _restored(self, is_late: threading.Event) -> None:
        receiver = Receiver(self._file)
        reason: Exception | None = None
        while not is_late.is_set():
            try:
                names = restore(self._run.path, receiver, is_late=is_late.is_set)
            except AwayError as error:
                reason = error
                is_late.wait(_RETRY_SECONDS)
            except (GoneError, RefusedError, OSError) as error:
                reason = error
                break
            else:
                if names:
                    _log.info("fetched from the operator: %s", ", ".join(names))
                return
        _log.warning("earlier lines of the run were not fetched from the operator: %s", reason)

    def _tell(self, words: str) -> None:
        with suppress(OSError):  # whoever started this may be gone
            os.write(self._launcher_output, f"vppo: {words}\n".encode())


def _redirected(path: Path) -> int:
    """Append what this process prints to a file; a descriptor of where it printed before."""
    sys.stdout.flush()
    sys.stderr.flush()
    before = os.dup(1)
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    for standard in (1, 2):
        os.dup2(file, standard)
    os.close(file)
    return before
