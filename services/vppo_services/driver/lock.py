"""The lock of a run's folder: as long as it is held, an attempt lives."""

import errno
import fcntl
import logging
import os
import time
from collections.abc import Callable, MutableMapping
from pathlib import Path
from typing import Final

from vppo_core.errors import InvalidSpecError

_log = logging.getLogger(__name__)

LOCK_FILE: Final = ".lock"
LOCK_VARIABLE: Final = "VPPO_RUN_LOCK_FD"
_NO_LOCKS: Final = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP)


def hold_shared(
    folder: Path, *, wait_seconds: float, pause: Callable[[float], None] = time.sleep
) -> int | None:
    """Hold a folder on a volume that pods share, where whoever starts drivers starts one at a time.

    What holds the lock can then only be a driver that is ending, or a dead one that the file server
    has not missed yet: it is awaited. A file system without locks has to do without.

    Args:
        pause: called between two tries with seconds to wait; may raise to give up.

    Returns:
        The descriptor that holds the lock, or None where there are no locks.

    Raises:
        InvalidSpecError: it is held for longer than `wait_seconds`.
    """
    tries = max(1, round(wait_seconds))
    for left in range(tries, -1, -1):
        try:
            return hold(folder, {})
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            _log.warning("'%s' is on a file system without locks: %s", folder, error)
            return None
        except InvalidSpecError:
            if left == 0:
                raise
        pause(1.0)
    return None


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
        if given is None:
            os.close(descriptor)
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
