"""Processes of this machine: start a driver, find it again, ask it to stop, end it by force."""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

import psutil  # type: ignore[import-untyped]

MARK: Final = "VPPO_ATTEMPT"
"""Variable that a driver and all that it starts carry; it finds what a dead driver left behind."""


class Processes(Protocol):
    """What the launcher needs of an operating system."""

    def spawn(
        self, command: Sequence[str], *, environment: Mapping[str, str], output: Path, lock: int
    ) -> int:
        """Start a process in a session of its own, with the lock's descriptor; its id.

        Raises:
            OSError: it cannot be started.
        """
        ...

    def is_driver(self, pid: int, folder: Path) -> bool:
        """Whether that process lives and was started for that folder."""
        ...

    def terminate(self, pid: int) -> None:
        """Ask a process to end."""
        ...

    def kill(self, pid: int | None, mark: str) -> None:
        """End a driver, its group, its descendants and whatever carries its mark, by force."""
        ...

    def exit_code(self, mark: str) -> int | None:
        """Exit code of a process that was started here and has ended; None if unknown."""
        ...


class MachineProcesses:
    """The processes of this machine."""

    def __init__(self) -> None:
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def spawn(
        self, command: Sequence[str], *, environment: Mapping[str, str], output: Path, lock: int
    ) -> int:
        """Start a process in a session of its own, with the lock's descriptor; its id.

        Raises:
            OSError: it cannot be started.
        """
        with output.open("ab") as stream:
            child = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=(lock,),
            )
        self._children[environment[MARK]] = child
        return child.pid

    def is_driver(self, pid: int, folder: Path) -> bool:
        """Whether that process lives and was started for that folder."""
        try:
            process = psutil.Process(pid)
            return process.status() != psutil.STATUS_ZOMBIE and str(folder) in process.cmdline()
        except psutil.Error:
            return False

    def terminate(self, pid: int) -> None:
        """Ask a process to end."""
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)

    def kill(self, pid: int | None, mark: str) -> None:
        """End a driver, its group, its descendants and whatever carries its mark, by force."""
        victims = set(_carriers(mark))
        if pid is not None:
            # Looked up before the first is killed: orphans are nobody's children.
            with suppress(psutil.Error):
                process = psutil.Process(pid)
                victims |= {process, *process.children(recursive=True)}
            with suppress(ProcessLookupError, PermissionError):
                if os.getpgid(pid) == pid:
                    os.killpg(pid, signal.SIGKILL)
        for victim in victims:
            with suppress(psutil.Error):  # psutil compares start times: no reused id is hit
                victim.kill()
        self._reap()

    def exit_code(self, mark: str) -> int | None:
        """Exit code of a process that was started here and has ended; None if unknown."""
        child = self._children.get(mark)
        return None if child is None else child.poll()

    def _reap(self) -> None:
        for child in self._children.values():
            child.poll()


def _carriers(mark: str) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get(MARK) == mark:
                yield process
