"""`vppo train` and `vppo export`: the folder made ready, and the program started in it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import pytest
import typer
from typer.testing import CliRunner, Result

from vppo_core.spec.loading import load_job
from vppo_services.cli.launch import Launcher
from vppo_services.cli.main import app

JOB = """\
apiVersion: vppo.io/v1alpha1
kind: VPPOJob
metadata: {name: one}
spec:
  model: {source: m}
  data: {source: d}
"""


@dataclass(frozen=True)
class FakeLauncher(Launcher):
    code: int = 0
    started: list[tuple[str, list[str]]] = field(default_factory=list)

    def run(self, module: str, arguments: Sequence[str]) -> NoReturn:
        self.started.append((module, list(arguments)))
        raise typer.Exit(self.code)


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "job.yaml"
    path.write_text(JOB)
    return path


def vppo(launcher: FakeLauncher, *arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], obj=launcher)


def test_the_driver_is_started_on_the_resolved_job(job: Path, tmp_path: Path) -> None:
    launcher = FakeLauncher()
    result = vppo(launcher, "train", job, "--set", "seed=7", "--output", tmp_path / "run")
    written = tmp_path / "run" / "job.json"
    assert result.exit_code == 0
    assert launcher.started == [
        ("vppo_services.driver", ["--job", str(written), "--output", str(tmp_path / "run")])
    ]
    assert load_job(written.read_text()) == load_job(JOB, ["seed=7"])
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["job.json"]


def test_the_exit_code_of_the_driver_is_passed_on(job: Path) -> None:
    assert vppo(FakeLauncher(code=12), "train", job).exit_code == 12


def test_the_folder_is_named_after_the_job(job: Path, tmp_path: Path) -> None:
    vppo(FakeLauncher(), "train", job)
    assert (tmp_path / "runs" / "one" / "job.json").exists()


@pytest.mark.parametrize(
    ("file", "name"), [("My Job_1.yaml", "my-job-1"), ("42.yaml", "job"), ("a" * 60, "a" * 40)]
)
def test_a_job_without_a_name_is_named_after_its_file(
    job: Path, tmp_path: Path, file: str, name: str
) -> None:
    nameless = job.with_name(file)
    nameless.write_text(JOB.replace("{name: one}", "{}"))
    assert vppo(FakeLauncher(), "train", nameless).exit_code == 0
    written = tmp_path / "runs" / name / "job.json"
    assert load_job(written.read_text()).metadata.name == name


def test_a_broken_job_starts_nothing_and_makes_no_folder(job: Path, tmp_path: Path) -> None:
    launcher = FakeLauncher()
    result = vppo(launcher, "train", job, "--set", "rollout.groupSize=1")
    assert (result.exit_code, launcher.started) == (2, [])
    assert result.stderr.startswith("error: rollout.groupSize must be at least 2")
    assert not (tmp_path / "runs").exists()


def test_a_used_folder_is_refused_with_its_cure(job: Path) -> None:
    launcher = FakeLauncher()
    vppo(launcher, "train", job)
    result = vppo(launcher, "train", job)
    assert (result.exit_code, len(launcher.started)) == (2, 1)
    assert "add --resume to go on with the run in it" in result.stderr


def test_an_empty_folder_is_taken(job: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    assert vppo(FakeLauncher(), "train", job, "--output", tmp_path / "run").exit_code == 0


def test_a_file_in_place_of_the_folder_is_a_sentence(job: Path) -> None:
    result = vppo(FakeLauncher(), "train", job, "--output", job)
    assert result.exit_code == 2
    assert "--output must name a folder that can be written" in result.stderr


def test_resume_and_quiet_reach_the_driver(job: Path) -> None:
    launcher = FakeLauncher()
    vppo(launcher, "train", job)
    assert vppo(launcher, "train", job, "--resume", "--quiet").exit_code == 0
    assert launcher.started[-1][1][-2:] == ["--resume", "--quiet"]


def test_resume_without_a_run_is_a_sentence(job: Path) -> None:
    result = vppo(FakeLauncher(), "train", job, "--resume")
    assert result.exit_code == 2
    assert "--resume must find a run" in result.stderr


def test_resume_may_train_for_longer_and_records_it(job: Path, tmp_path: Path) -> None:
    launcher = FakeLauncher()
    vppo(launcher, "train", job)
    result = vppo(launcher, "train", job, "--resume", "--set", "learner.numSteps=300")
    assert result.exit_code == 0
    written = (tmp_path / "runs" / "one" / "job.json").read_text()
    assert load_job(written).spec.learner.num_steps == 300


def test_resume_with_another_method_names_each_changed_field(job: Path, tmp_path: Path) -> None:
    launcher = FakeLauncher()
    vppo(launcher, "train", job)
    before = (tmp_path / "runs" / "one" / "job.json").read_bytes()
    result = vppo(
        launcher, "train", job, "--resume", "--set", "seed=1", "--set", "algorithm.shaping=none"
    )
    first, second = result.stderr.splitlines()
    assert (result.exit_code, len(launcher.started)) == (2, 1)
    assert first.startswith("error: seed must stay 0 in a resumed run, got 1; change it back")
    assert second.startswith("error: algorithm.shaping must stay 'dynamic' in a resumed run")
    assert (tmp_path / "runs" / "one" / "job.json").read_bytes() == before


def test_export_starts_the_exporter() -> None:
    launcher = FakeLauncher(code=13)
    assert vppo(launcher, "export", "runs/one", "out").exit_code == 13
    assert launcher.started == [("vppo_services.driver.export", ["runs/one", "out"])]
