"""The lock of a run's folder lives exactly as long as the attempt, whoever took it."""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from vppo_core.errors import InvalidSpecError
from vppo_services.driver.lock import LOCK_VARIABLE, hold


@pytest.fixture
def descriptors() -> Iterator[list[int]]:
    opened: list[int] = []
    yield opened
    for descriptor in opened:
        os.close(descriptor)


def is_free(folder: Path) -> bool:
    descriptor = os.open(folder / ".lock", os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def locked(path: Path) -> int:
    """As a launcher passes it on."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    os.set_inheritable(descriptor, True)
    return descriptor


def test_alone_an_attempt_takes_the_lock_and_leaves_its_process_id(
    tmp_path: Path, descriptors: list[int]
) -> None:
    (tmp_path / ".lock").write_text("999999999 of an earlier attempt")
    descriptors.append(hold(tmp_path, {}))
    assert not is_free(tmp_path)
    assert (tmp_path / ".lock").read_text() == str(os.getpid())


def test_a_lock_that_is_passed_on_is_used_and_goes_no_further(tmp_path: Path) -> None:
    descriptor = locked(tmp_path / ".lock")
    environment = {LOCK_VARIABLE: str(descriptor), "OTHER": "1"}
    try:
        assert hold(tmp_path, environment) == descriptor
        assert environment == {"OTHER": "1"}
        assert not os.get_inheritable(descriptor)
        assert (tmp_path / ".lock").read_text() == str(os.getpid())
        assert not is_free(tmp_path)
    finally:
        os.close(descriptor)
    assert is_free(tmp_path), "nothing else holds it"


def test_a_folder_in_use_is_refused_and_its_holder_stays_named(
    tmp_path: Path, descriptors: list[int]
) -> None:
    (tmp_path / ".lock").write_text("4711")
    descriptors.append(locked(tmp_path / ".lock"))
    with pytest.raises(InvalidSpecError, match="must name a folder that no run is using"):
        hold(tmp_path, {})
    assert (tmp_path / ".lock").read_text() == "4711"


def test_a_descriptor_of_the_file_without_its_lock_is_refused(
    tmp_path: Path, descriptors: list[int]
) -> None:
    descriptors.append(locked(tmp_path / ".lock"))
    descriptors.append(os.open(tmp_path / ".lock", os.O_RDWR))
    with pytest.raises(InvalidSpecError, match="must name a folder that no run is using"):
        hold(tmp_path, {LOCK_VARIABLE: str(descriptors[1])})


@pytest.mark.parametrize("kind", ["no number", "closed", "another file"])
def test_a_descriptor_that_is_none_of_the_lock_is_refused(
    tmp_path: Path, descriptors: list[int], kind: str
) -> None:
    (tmp_path / ".lock").touch()
    descriptors.append(locked(tmp_path / "other"))
    given = {"no number": "x", "closed": "987654", "another file": str(descriptors[0])}[kind]
    with pytest.raises(InvalidSpecError, match=f"{LOCK_VARIABLE} must be a descriptor of"):
        hold(tmp_path, {LOCK_VARIABLE: given})
