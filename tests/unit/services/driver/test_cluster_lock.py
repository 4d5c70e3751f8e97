"""The lock on a shared volume: a dead holder is awaited, a file system without locks is used."""

import errno
import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vppo_core.errors import InvalidSpecError
from vppo_services.driver.lock import hold_shared


def held(folder: Path) -> int:
    descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def test_a_holder_that_ends_is_awaited(tmp_path: Path) -> None:
    holder = held(tmp_path)
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            os.close(holder)

    descriptor = hold_shared(tmp_path, wait_seconds=10.0, pause=pause)
    assert descriptor is not None
    os.close(descriptor)
    assert pauses == [1.0] * 3
    assert (tmp_path / ".lock").read_text() == str(os.getpid())


def test_a_holder_that_stays_is_named_in_the_end(tmp_path: Path) -> None:
    holder = held(tmp_path)
    before = len(os.listdir("/proc/self/fd"))
    pauses: list[float] = []
    with pytest.raises(InvalidSpecError, match="must name a folder that no run is using"):
        hold_shared(tmp_path, wait_seconds=4.0, pause=pauses.append)
    assert sum(pauses) == 4.0
    assert len(os.listdir("/proc/self/fd")) == before, "no try leaves a descriptor behind"
    os.close(holder)


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_file_system_without_locks_is_used_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    monkeypatch.setattr(fcntl, "flock", refusing(code))
    assert hold_shared(tmp_path, wait_seconds=10.0) is None


def test_a_volume_that_refuses_is_no_volume_without_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fcntl, "flock", refusing(errno.EIO))
    with pytest.raises(OSError, match="planted"):
        hold_shared(tmp_path, wait_seconds=10.0)


def refusing(code: int) -> Callable[..., Any]:
    def flock(*_: object) -> None:
        raise OSError(code, "planted")

    return flock
