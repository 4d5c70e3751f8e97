"""What a pod does before it ends: let the driver save, and the roles live as long as it needs them.

A pod of the head asks its driver to stop and waits for it. When a whole attempt is deleted, all its
pods are ended at once: those of the roles wait until the head is gone, or nothing could be saved.
"""

import itertools
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from vppo_core.runs.protocol import ATTEMPT_FILE, ATTEMPT_VARIABLE

_MODULE: Final = b"vppo_services.driver"
_GRACE_SECONDS: Final = 300.0
_LOOK_SECONDS: Final = 0.5
_ESTABLISHED: Final = "01"
_HEAD_VARIABLE: Final = "FQ_RAY_IP"
"""KubeRay sets it in the pods of worker groups alone."""


def main() -> int:
    """Exit code: always 0, since nobody can do anything about a failure here."""
    until = time.monotonic() + grace_seconds()
    driver = find_driver()
    if driver is not None:
        _say(f"asking the driver, process {driver}, to save and stop")
        try:
            os.kill(driver, signal.SIGTERM)
        except ProcessLookupError:
            return 0
        _wait(lambda: is_driver(driver), until)
    elif os.environ.get(_HEAD_VARIABLE):
        port = os.environ.get("RAY_PORT", "6379")
        _wait(lambda: is_connected(int(port) if port.isdigit() else 6379), until)
    return 0


def grace_seconds() -> float:
    """What the job gives its driver to save; Kubernetes ends the pod later than that."""
    path = Path(os.environ.get(ATTEMPT_VARIABLE) or ATTEMPT_FILE).with_name("job.json")
    try:
        job = json.loads(path.read_bytes())
        return float(job["spec"]["scheduling"]["stopGraceSeconds"])
    except (OSError, ValueError, TypeError, KeyError):
        return _GRACE_SECONDS


def find_driver(proc: Path = Path("/proc")) -> int | None:
    """Process id of the driver in this container."""
    for entry in proc.iterdir():
        if entry.name.isdigit() and is_driver(int(entry.name), proc):
            return int(entry.name)
    return None


def is_driver(pid: int, proc: Path = Path("/proc")) -> bool:
    """Whether that process lives and is a driver: `python -m vppo_services.driver`.

    One that has ended, and that nobody has collected yet, has no command any more.
    """
    try:
        command = (proc / str(pid) / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return (b"-m", _MODULE) in itertools.pairwise(command)


def is_connected(port: int, proc: Path = Path("/proc")) -> bool:
    """Whether anything here has a connection to that port of another machine: Ray to its head.

    Connections are asked, not names: the name of a head that is ending leads nowhere.
    """
    for name in ("tcp", "tcp6"):
        try:
            lines = (proc / "net" / name).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            _, _, remote, state, *_ = line.split()
            if state == _ESTABLISHED and int(remote.rpartition(":")[2], 16) == port:
                return True
    return False


def _wait(still: Callable[[], bool], until: float) -> None:
    while still() and time.monotonic() < until:
        time.sleep(_LOOK_SECONDS)


def _say(text: str) -> None:
    sys.stderr.write(f"vppo: {text}\n")
