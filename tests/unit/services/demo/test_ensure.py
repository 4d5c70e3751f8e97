import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from vppo_core.errors import InvalidDataError
from vppo_core.spec.job import VPPOJobSpec
from vppo_services.demo.ensure import is_demo, names, resolve, resolve_job

VALIDATION = "demo://colours?split=validation"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("VPPO_CACHE", str(tmp_path / "cache"))


def test_other_sources_pass_unchanged():
    for source in ("Qwen/Qwen2.5-VL-7B-Instruct", "/data/a.parquet", ""):
        assert not is_demo(source)
        assert resolve(source) == source


def test_an_unknown_name_is_refused_with_every_name_that_exists():
    with pytest.raises(InvalidDataError) as caught:
        resolve("demo://qwen9")
    assert "got 'demo://qwen9'" in str(caught.value)
    assert all(name in str(caught.value) for name in names())


def test_an_untrained_model_is_made_once_and_readable_by_all():
    calls: list[str] = []
    first = resolve("demo://qwen2.5-vl-untrained", lambda source, *_: calls.append(source))
    weights = Path(first) / "model.safetensors"
    made = weights.stat().st_mtime_ns
    assert resolve("demo://qwen2.5-vl-untrained", lambda source, *_: calls.append(source)) == first
    assert weights.stat().st_mtime_ns == made
    assert calls == ["demo://qwen2.5-vl-untrained"]
    assert stat.S_IMODE(weights.stat().st_mode) == 0o644


def test_the_splits_are_two_files_and_train_is_the_default():
    train, validation = resolve("demo://colours"), resolve("demo://colours?split=validation")
    assert resolve("demo://colours?split=train") == train
    assert pq.read_metadata(train).num_rows == 2000
    assert pq.read_metadata(validation).num_rows == 256


def test_two_at_once_make_it_once_and_leave_nothing_half_made():
    calls: list[int] = []
    with ThreadPoolExecutor(2) as pool:
        done = [pool.submit(resolve, VALIDATION, lambda *_: calls.append(1)) for _ in range(2)]
        paths = {future.result() for future in done}
    assert len(paths) == len(calls) == 1
    assert not list(Path(paths.pop()).parents[1].glob("*.partial"))


def test_a_half_made_folder_of_a_killed_process_is_replaced():
    folder = Path(resolve(VALIDATION)).parent
    partial = folder.with_name(f".{folder.name}.partial")
    folder.rename(partial)
    assert Path(resolve(VALIDATION)).exists()
    assert not partial.exists()


def test_a_cache_that_cannot_be_written_names_the_variable_to_set(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("VPPO_CACHE", str(tmp_path / "file"))
    with pytest.raises(InvalidDataError, match="set VPPO_CACHE to a folder"):
        resolve("demo://colours")


def test_what_was_made_is_served_without_writing_anything():
    made = Path(resolve(VALIDATION))
    lock = made.parent.with_name(f".{made.parent.name}.lock")
    lock.unlink()
    lock.mkdir()
    assert resolve(VALIDATION) == str(made)


def test_a_job_gets_local_paths_for_its_demo_sources_only():
    asked = VPPOJobSpec.model_validate(
        {
            "model": {"source": "demo://qwen3-vl-untrained"},
            "data": {"source": "demo://colours", "validationSource": ""},
        }
    )
    spec = resolve_job(asked)
    assert (Path(spec.model.source) / "config.json").exists()
    assert Path(spec.data.source).suffix == ".parquet"
    assert spec.data.validation_source == ""
    assert asked.model.source == "demo://qwen3-vl-untrained"
    assert spec.algorithm == asked.algorithm
