"""A grading process as its owner sees it: started, asked under a time limit, killed."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import Any, Final

from vppo_core.errors import InvalidSpecError, RoleDiedError
from vppo_core.rewards.base import Reward, Verdict

_WORKER: Final = "vppo_services.reward.worker"
_REAP_SECONDS: Final = 5.0
_CHUNK_BYTES: Final = 65_536
CLOSED: Final = "the reward engine is closed; make a new one to grade more"


class GraderError(Exception):
    """The grader raised; the message is what it said."""


class GraderProcess:
    """One process with the grader loaded. One thread asks; any thread may stop it.

    A plain child with a socket, not `multiprocessing`: spawn would load the owner's main module
    again (under Ray that is Ray), and pools share pipes and locks that a killed process leaves
    half used.
    """

    def __init__(self, grader: str) -> None:
        self._grader = grader
        self._lock = threading.Lock()
        self._stopped = False
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None

    @property
    def pid(self) -> int:
        """Process id; 0 while there is none."""
        return self._process.pid if self._process is not None else 0

    def ensure_started(self, timeout_seconds: float) -> None:
        """Return with a live process that has loaded the grader.

        On Linux the process dies with the thread that calls this, so call it from one that stays.

        Raises:
            InvalidSpecError: the grader cannot be loaded, or not within `timeout_seconds`.
            RoleDiedError: the process ended while loading, or `stop` was called.
        """
        if self._process is not None and self._process.poll() is None:
            return
        self._start()
        try:
            message = self._receive(time.monotonic() + timeout_seconds)
        except TimeoutError:
            self.kill()
            raise InvalidSpecError(
                f"reward.grader must load within {timeout_seconds:g} s, '{self._grader}' did not; "
                "do slow work on first use, or ahead of the run"
            ) from None
        except ConnectionError:
            self.kill()
            raise RoleDiedError(
                f"a reward process ended while it loaded '{self._grader}'; "
                "its stderr says why, memory is the usual reason"
            ) from None
        if "failed" in message:
            self.kill()
            raise InvalidSpecError(message["failed"])

    def grade(self, text: str, answer: str, timeout_seconds: float) -> Reward:
        """The reward of one answer.

        After TimeoutError or ConnectionError the process is gone; `ensure_started` makes another.

        Raises:
            TimeoutError: no reply in time.
            ConnectionError: the process ended before it replied.
            GraderError: the grader raised.
        """
        assert self._socket is not None
        deadline = time.monotonic() + timeout_seconds
        try:
            self._socket.settimeout(timeout_seconds)
            self._socket.sendall(json.dumps({"text": text, "answer": answer}).encode() + b"\n")
            message = self._receive(deadline)
        except (TimeoutError, ConnectionError):
            self.kill()
            raise
        if "error" in message:
            raise GraderError(message["error"])
        return Reward(message["accuracy"], message["format"], Verdict(message["verdict"]))

    def kill(self) -> None:
        """End the process and what it started, at once; the asking thread only."""
        with self._lock:
            self._signal()
            if self._process is not None:
                # A process in uninterruptible sleep ignores even this; nobody should wait for it.
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(_REAP_SECONDS)
            if self._socket is not None:
                self._socket.close()
            self._process = self._socket = None

    def stop(self) -> None:
        """End the process for good; whoever waits for its reply gets ConnectionError."""
        with self._lock:
            self._stopped = True
            self._signal()

    def _signal(self) -> None:
        # Not yet reaped, so the number is still its own; a dead leader's group is reached as well.
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def _start(self) -> None:
        self.kill()
        ours, theirs = socket.socketpair()
        with theirs, self._lock:
            if self._stopped:
                ours.close()
                raise RoleDiedError(CLOSED)
            self._socket = ours
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-P", "-m", _WORKER),
                    *(self._grader, str(theirs.fileno()), str(os.getpid())),
                ],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                env=_environment(),
            )

    def _receive(self, deadline: float) -> dict[str, Any]:
        assert self._socket is not None
        line = b""
        while not line.endswith(b"\n"):
            remaining = deadline - time.monotonic()
            if remaining <= 0.0:
                raise TimeoutError
            self._socket.settimeout(remaining)
            chunk = self._socket.recv(_CHUNK_BYTES)
            if not chunk:
                raise ConnectionResetError("the grading process ended")
            line += chunk
        message: dict[str, Any] = json.loads(line)
        return message


def _environment() -> dict[str, str]:
    """The owner's environment with its import path, and with hashes that repeat.

    sympy orders terms by hash, so how far it simplifies could else differ from run to run.
    """
    path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
    return {"OMP_NUM_THREADS": "1", **os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": "0"}
