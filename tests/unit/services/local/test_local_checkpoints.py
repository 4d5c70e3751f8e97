"""Checkpoint folders: kept, removed in the right order, expired but for the promoted ones."""

from pathlib import Path

import fsspec
import pytest

from vppo_core.archive.errors import StoreUnavailableError
from vppo_services.local import checkpoints


def checkpoint(root: Path, step: int, *, complete: bool = True) -> str:
    folder = root / f"step-{step:06d}"
    (folder / "learner").mkdir(parents=True)
    (folder / "learner" / "weights").write_text("w")
    if complete:
        (folder / checkpoints.COMPLETE).write_text("{}")
    return str(folder)


def test_only_complete_checkpoints_exist(tmp_path: Path) -> None:
    whole, half = checkpoint(tmp_path, 1), checkpoint(tmp_path, 2, complete=False)
    gone = str(tmp_path / "step-000003")
    assert checkpoints.existing([whole, half, gone, "/nowhere/step-000001"]) == {whole}


def test_a_kept_checkpoint_has_its_marker(tmp_path: Path) -> None:
    uri = checkpoint(tmp_path, 1)
    assert checkpoints.keep(uri)
    assert checkpoints.keep(uri)
    assert (Path(uri) / checkpoints.KEEP).exists()


def test_nothing_is_kept_of_one_that_is_gone(tmp_path: Path) -> None:
    assert not checkpoints.keep(str(tmp_path / "step-000009"))
    assert not (tmp_path / "step-000009").exists()


def test_removing_twice_is_removing_once(tmp_path: Path) -> None:
    uri = checkpoint(tmp_path, 1)
    checkpoints.remove(uri)
    checkpoints.remove(uri)
    assert not Path(uri).exists()


def test_a_removal_that_was_cut_short_is_completed(tmp_path: Path) -> None:
    uri = checkpoint(tmp_path, 1, complete=False)
    checkpoints.remove(uri)
    assert not Path(uri).exists()


def test_any_address_of_fsspec_will_do() -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe("/bucket/step-000001/COMPLETE", b"{}")
    memory.pipe("/bucket/step-000001/weights", b"w")
    uri = "memory://bucket/step-000001"
    assert checkpoints.existing([uri]) == {uri}
    assert checkpoints.keep(uri)
    assert memory.exists("/bucket/step-000001/KEEP")
    checkpoints.remove(uri)
    assert checkpoints.existing([uri]) == set()


def test_an_unknown_scheme_is_unavailable_not_a_crash() -> None:
    with pytest.raises(StoreUnavailableError, match="nosuch://"):
        checkpoints.existing(["nosuch://bucket/step-000001"])


def test_expiry_leaves_promoted_checkpoints_alone(tmp_path: Path) -> None:
    run = tmp_path / "run"
    kept = checkpoint(run / "checkpoints", 1)
    lost = checkpoint(run / "checkpoints", 2)
    (run / "model").mkdir()
    (run / "model" / "weights").write_text("w")
    (run / "metrics.jsonl").write_text("")
    checkpoints.keep(kept)
    checkpoints.remove_files(run)
    checkpoints.remove_files(run)
    assert [path.name for path in run.iterdir()] == ["checkpoints"]
    assert checkpoints.existing([kept, lost]) == {kept}


def test_expiry_without_promoted_checkpoints_leaves_nothing(tmp_path: Path) -> None:
    run = tmp_path / "run"
    checkpoint(run / "checkpoints", 1)
    checkpoints.remove_files(run)
    checkpoints.remove_files(run)
    assert not run.exists()
