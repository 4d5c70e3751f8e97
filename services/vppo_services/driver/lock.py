"""The lock of a run's folder: as long as it is held, an attempt lives."""

import fcntl
import os
from collections.abc import MutableMapping
from pathlib import Path
from typing import Final

from vppo_core.errors import InvalidSpecError

LOCK_FILE: Final = ".lock"
LOCK_VARIABLE: Final = "VPPO_RUN_LOCK_FD"


def hold(folder: Path, environment: MutableMapping[str, str]) -> int:
    """Hold the folder for this process; the lock ends with it, however it ends.

    The descriptor that a launcher passed on is used, and its variable removed: what this process
    starts must inherit neither. The file then holds the id of this process.

    Returns:
        The descriptor that holds the lock.

    Raises:
        InvalidSpecError: another attempt uses the folder, or the descriptor is not one of its lock.
    """
    path = folder / LOCK_FILE
    given = environment.pop(LOCK_VARIABLE, None)
    descriptor = _open(path) if given is None else _passed_on(path, given)
    try:
        # Of a lock that this descriptor holds already, this is a repetition.
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise InvalidSpecError(
            f"--output must name a folder that no run is using, got '{folder}'; wait for that run, "
            "stop it, or choose another folder"
        ) from error
    path.write_text(str(os.getpid()), encoding="ascii")
    return descriptor


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o644)


def _passed_on(path: Path, given: str) -> int:
    try:
        descriptor = int(given)
        is_of_this_folder = os.path.samestat(os.fstat(descriptor), path.stat())
    except (ValueError, OSError):
        is_of_this_folder = False
    if not is_of_this_folder:
        raise InvalidSpecError(
            f"{LOCK_VARIABLE} must be a descriptor of '{path}', got '{given}'; unset it, or open "
            "and lock that file"
        )
    os.set_inheritable(descriptor, False)
    return descriptor
