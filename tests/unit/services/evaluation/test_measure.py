"""Which checkpoint is measured, with which weights, and what is refused before anything starts."""

import json
from pathlib import Path

import pytest

from vppo_core.errors import CheckpointError, InvalidSpecError
from vppo_core.spec.job import VPPOJob
from vppo_core.spec.loading import job_text
from vppo_services.evaluation.__main__ import main
from vppo_services.evaluation.measure import exported_model, measure
from vppo_services.learner.export import checkpoint_job, checkpoint_step, find_checkpoint


def job(**data: str) -> str:
    document = {"spec": {"model": {"source": "m"}, "data": {"source": "d"}}}
    document["spec"] |= {"checkpoint": data} if data else {}
    return job_text(VPPOJob.model_validate(document))


def checkpoint(folder: Path, step: int, *, complete: bool = True) -> Path:
    path = folder / f"step-{step:06d}"
    path.mkdir(parents=True)
    (path / "job.json").write_text(job())
    if complete:
        (path / "COMPLETE").write_text(json.dumps({"step": step}))
    return path


def exported(run: Path, **summary: object) -> Path:
    (run / "summary.json").write_text(json.dumps(summary))
    (run / "model").mkdir()
    (run / "model" / "config.json").write_text("{}")
    return run / "model"


def test_the_newest_complete_checkpoint_of_a_run_is_found(tmp_path: Path) -> None:
    for step in (5, 999_999, 1_000_000):
        checkpoint(tmp_path / "checkpoints", step)
    checkpoint(tmp_path / "checkpoints", 1_000_005, complete=False)
    found = find_checkpoint(str(tmp_path) + "/")
    assert found == str(tmp_path / "checkpoints" / "step-1000000")
    assert checkpoint_step(found) == 1_000_000
    assert checkpoint_job(found).spec.model.source == "m"


def test_a_checkpoint_that_is_named_is_taken(tmp_path: Path) -> None:
    checkpoint(tmp_path, 10)
    path = checkpoint(tmp_path, 5)
    assert find_checkpoint(str(path)) == str(path)


def test_checkpoints_elsewhere_are_found_through_the_job_of_the_run(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "job.json").write_text(job(uri=str(tmp_path / "elsewhere")))
    path = checkpoint(tmp_path / "elsewhere", 5)
    assert find_checkpoint(str(tmp_path / "run")) == str(path)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        pytest.param("/nowhere", "no complete checkpoint at '/nowhere'", id="none"),
        pytest.param("nosuch://x", "cannot be opened", id="unknown-scheme"),
    ],
)
def test_a_source_without_a_checkpoint_is_one_sentence(
    capsys: pytest.CaptureFixture[str], source: str, reason: str
) -> None:
    with pytest.raises(CheckpointError, match=reason):
        find_checkpoint(source)
    assert main([source]) == CheckpointError.exit_code
    assert reason in capsys.readouterr().err


def test_a_damaged_job_is_one_sentence(tmp_path: Path) -> None:
    path = checkpoint(tmp_path, 5)
    (path / "job.json").write_text("{")
    with pytest.raises(CheckpointError, match="must hold the job that wrote the checkpoint"):
        measure(str(path))


def test_without_held_out_questions_the_cure_is_named(tmp_path: Path) -> None:
    path = checkpoint(tmp_path, 5)
    with pytest.raises(InvalidSpecError, match="name them with --data"):
        measure(str(path))


@pytest.mark.parametrize(
    ("option", "value", "field"),
    [
        ("--max-prompts", "0", "evaluation.maxPrompts"),
        ("--samples", "many", "evaluation.samplesPerPrompt"),
        ("--temperature", "-1", "evaluation.temperature"),
    ],
)
def test_a_setting_that_cannot_be_names_its_field(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, value: str, field: str
) -> None:
    path = checkpoint(tmp_path, 5)
    assert main([str(path), "--data", "questions.parquet", f"{option}={value}"]) == 2
    assert field in capsys.readouterr().err


def test_the_model_that_the_run_exported_is_used_for_its_step_alone(tmp_path: Path) -> None:
    newest = str(checkpoint(tmp_path / "checkpoints", 10))
    assert exported_model(newest, 10) is None
    model = exported(tmp_path, state="Succeeded", step=10)
    assert exported_model(newest, 10) == model
    assert exported_model(newest, 5) is None


def test_a_model_of_a_run_that_went_on_is_not_used(tmp_path: Path) -> None:
    newest = str(checkpoint(tmp_path / "checkpoints", 10))
    exported(tmp_path, state="Stopped", step=10)
    assert exported_model(newest, 10) is None
