from pathlib import Path

import pytest

from tests.unit.services.observability.fake_mlflow import FakeRuns
from vppo_services.driver.replay import main
from vppo_services.observability.mlflow import MlflowSink


def leave_waiting(run: Path, steps: int) -> None:
    sink = MlflowSink(
        "http://mlflow",
        experiment="vppo",
        run_name="demo",
        folder=run / "mlflow",
        spool_bytes=2**20,
    )
    for step in range(steps):
        sink.log_step(step, {"reward_mean": 0.5}, time_seconds=1.0)


def test_what_waits_in_a_run_folder_is_delivered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = FakeRuns()
    monkeypatch.setattr("vppo_services.driver.replay.connect", runs.connect)
    leave_waiting(tmp_path, 3)
    assert main([str(tmp_path)]) == 0
    assert capsys.readouterr().out == "3 records delivered to MLflow, 0 still wait\n"
    assert [step for step, _ in runs.curve("reward/mean")] == [0, 1, 2]


def test_an_mlflow_that_is_still_away_is_told_by_the_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = FakeRuns()
    runs.away = True
    monkeypatch.setattr("vppo_services.driver.replay.connect", runs.connect)
    leave_waiting(tmp_path, 3)
    assert main([str(tmp_path), "--seconds", "0"]) == 1
    assert capsys.readouterr().out == "0 records delivered to MLflow, 3 still wait\n"


def test_a_folder_of_no_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 2
    assert "must be the folder of a run that reported to MLflow" in capsys.readouterr().err
