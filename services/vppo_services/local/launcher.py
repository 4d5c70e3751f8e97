"""Attempts as processes of this machine: start, look, ask to stop, end by force.

Every method may be cut short by a SIGKILL and called again: what is done is not done twice, what is
half done is completed. The evidence lies in files and in the lock that the driver holds, never in
the memory of this process.
"""

import logging
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from vppo_core.runs.files import (
    ExitFile,
    ProgressFile,
    StopFile,
    last_sign,
    last_words,
    write_json,
)
from vppo_core.runs.folder import RunFolder
from vppo_core.runs.view import AttemptView
from vppo_core.runs.writing import write_atomically
from vppo_core.spec.job import VPPOJob
from vppo_core.spec.loading import job_text
from vppo_services.local import run_lock
from vppo_services.local.launch_plan import DRIVER, command_of, environment_of, mark_of
from vppo_services.local.manifest import write_environment
from vppo_services.local.processes import MachineProcesses, Processes

_log = logging.getLogger(__name__)


class Launcher:
    """Starts and follows attempts in folders below one folder."""

    def __init__(
        self,
        jobs_folder: Path,
        *,
        command: Sequence[str] = DRIVER,
        environment: Mapping[str, str] | None = None,
        processes: Processes | None = None,
    ) -> None:
        """Nothing is started or read yet.

        Args:
            command: what starts a driver, before its arguments.
            environment: what drivers inherit; None means the environment of this process.
        """
        self._jobs_folder = jobs_folder
        self._command = tuple(command)
        self._environment = dict(os.environ if environment is None else environment)
        self._processes = processes if processes is not None else MachineProcesses()

    def folder(self, uid: str) -> RunFolder:
        """The run folder of a job."""
        return RunFolder.of(self._jobs_folder, uid)

    def look(self, uid: str, index: int) -> AttemptView:
        """What there is of an attempt now.

        Raises:
            OSError: the folder refuses.
        """
        run = self.folder(uid)
        if not run.launched(index).exists():
            return AttemptView(is_launched=False, is_live=False)
        # The lock before the report: a driver that ends in between is seen as ended next time.
        is_live = run_lock.is_held(run.lock) and run.newest_launched() == index
        report = ExitFile.read(run.exit(index))
        is_mute = report is None and not is_live
        return AttemptView(
            is_launched=True,
            is_live=is_live,
            stop=StopFile.read(run.stop(index)),
            progress=ProgressFile.read(run.progress(index)),
            exit=report,
            exit_code=self._processes.exit_code(mark_of(uid, index)) if is_mute else None,
            last_words=last_words(run.output(index)) if is_mute else "",
            last_sign=last_sign(run.signs(index)) if not is_live else None,
        )

    def start(self, job: VPPOJob, *, uid: str, index: int, resume: bool, devices: str = "") -> bool:
        """Start an attempt, unless it was started before or another one lives; whether it was.

        What an earlier attempt left behind is ended first: it would hold the accelerator.

        Raises:
            OSError: the disk is full, or the process cannot be started.
        """
        run = self.folder(uid)
        run.attempt(index).mkdir(parents=True, exist_ok=True)
        lock = run_lock.take(run.lock)
        if lock is None:
            return False
        try:
            if run.newest_launched() >= index:
                return False
            for earlier in range(1, index):
                self._processes.kill(None, mark_of(uid, earlier))
            write_atomically(run.job, job_text(job))
            write_environment(run.environment(index))
            environment = environment_of(
                self._environment, mark=mark_of(uid, index), lock=lock, devices=devices
            )
            run.launched(index).touch()
            try:
                pid = self._processes.spawn(
                    command_of(self._command, run, index, resume=resume),
                    environment=environment,
                    output=run.output(index),
                    lock=lock,
                )
            except OSError:
                run.launched(index).unlink()  # it is sure that nothing was started
                raise
        finally:
            os.close(lock)  # the driver has its own copy, and the lock with it
        _log.info("job %s: attempt %d started as process %d", uid, index, pid)
        return True

    def request_stop(
        self, *, uid: str, index: int, reason: str, requested: datetime, deadline: datetime
    ) -> None:
        """Ask an attempt to save and end; once, or again where it is not sure that it was asked.

        Raises:
            OSError: the disk is full.
        """
        run = self.folder(uid)
        asked = StopFile.read(run.stop(index))
        if asked is not None and asked.is_signalled:
            return
        pid = self._driver(run, index)
        if pid is None:
            return  # it has not said who it is yet; the next round asks again
        if asked is None:
            asked = StopFile(reason=reason, requested=requested, deadline=deadline)
            write_json(run.stop(index), asked)
        # Killed before the next line, we signal again: to a driver that is one request.
        self._processes.terminate(pid)
        write_json(run.stop(index), asked.model_copy(update={"is_signalled": True}))

    def kill(self, uid: str, index: int) -> None:
        """End an attempt by force, with all that it started; nothing happens to a dead one."""
        run = self.folder(uid)
        self._processes.kill(self._driver(run, index), mark_of(uid, index))

    def sweep(self, uid: str, index: int) -> None:
        """End what a dead attempt left running."""
        self._processes.kill(None, mark_of(uid, index))

    def _driver(self, run: RunFolder, index: int) -> int | None:
        pid = run_lock.holder(run.lock)
        if pid is None or run.newest_launched() != index:
            return None
        return pid if self._processes.is_driver(pid, run.path) else None
