"""A checkpoint is complete or not there."""

from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from vppo_core.errors import CheckpointError
from vppo_services.driver.store import CheckpointStore


def saved(store: CheckpointStore, step: int) -> None:
    store.prepare(step)
    store.write(step, "driver.json", b"{}")
    store.complete(step, {"step": step})


def test_a_half_written_checkpoint_does_not_exist(tmp_path: Path) -> None:
    store = CheckpointStore(str(tmp_path), keep_last=2)
    saved(store, 1)
    store.prepare(2)
    store.write(2, "driver.json", b"{}")
    assert store.steps() == [1]


def test_the_newest_are_kept(tmp_path: Path) -> None:
    store = CheckpointStore(str(tmp_path), keep_last=2)
    for step in (5, 10, 15, 20):
        saved(store, step)
    assert store.steps() == [15, 20]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step-000015", "step-000020"]


def test_a_promoted_checkpoint_outlives_the_newest(tmp_path: Path) -> None:
    store = CheckpointStore(str(tmp_path), keep_last=2)
    saved(store, 5)
    (tmp_path / "step-000005" / "KEEP").write_text("promoted")
    for step in (10, 15, 20):
        saved(store, step)
    assert store.steps() == [5, 15, 20]


class FakeStubbornDisk(MemoryFileSystem):  # type: ignore[misc]
    """Removes nothing."""

    protocol = "stubborn"

    def rm(self, path: str, recursive: bool = False, maxdepth: int | None = None) -> None:  # noqa: ARG002
        raise PermissionError(f"{path} stays")


def test_an_old_checkpoint_that_cannot_be_removed_does_not_spoil_the_new_one(
    caplog: pytest.LogCaptureFixture,
) -> None:
    fsspec.register_implementation("stubborn", FakeStubbornDisk, clobber=True)
    store = CheckpointStore("stubborn://checkpoints-of-a-test", keep_last=1)
    saved(store, 1)
    saved(store, 2)
    assert store.steps() == [1, 2]
    assert "the old checkpoint of step 1 was not removed" in caplog.text


def test_a_size_is_that_of_all_files(tmp_path: Path) -> None:
    store = CheckpointStore(str(tmp_path), keep_last=1)
    store.prepare(1)
    store.write(1, "a", b"12345")
    (tmp_path / "step-000001" / "learner").mkdir()
    (tmp_path / "step-000001" / "learner" / "shard").write_bytes(b"1234567")
    assert store.size_bytes(1) == 12


def test_leftovers_of_a_step_are_removed_before_it_is_written_again(tmp_path: Path) -> None:
    store = CheckpointStore(str(tmp_path), keep_last=2)
    store.prepare(3)
    store.write(3, "old.npz", b"old")
    store.prepare(3)
    assert list((tmp_path / "step-000003").iterdir()) == []


def test_steps_sort_as_numbers(tmp_path: Path) -> None:
    store = CheckpointStore(str(tmp_path), keep_last=9)
    for step in (2, 1_000_000, 30):
        saved(store, step)
    assert store.steps() == [2, 30, 1_000_000]


def test_an_address_in_memory_works_like_a_folder() -> None:
    store = CheckpointStore("memory://checkpoints-of-a-test", keep_last=1)
    saved(store, 1)
    saved(store, 2)
    assert store.steps() == [2]
    assert store.read(2, "driver.json") == b"{}"


def test_an_unknown_scheme_names_field_and_cure() -> None:
    with pytest.raises(CheckpointError, match=r"checkpoint\.uri 'nowhere://x' cannot be opened"):
        CheckpointStore("nowhere://x", keep_last=1)
