"""What a run leaves for people, and what it never gives away."""

import json
import math
import os
from pathlib import Path

import pytest

from vppo_core.archive.errors import JobNotFoundError
from vppo_core.runs.folder import RunFolder
from vppo_services.local import run_files


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    run = RunFolder.of(tmp_path / "jobs", "uid-1")
    run.path.mkdir(parents=True)
    return run


def test_metrics_keep_nulls_and_leave_out_words(run: RunFolder) -> None:
    line = {"reward_mean": 0.5, "entropy_mean": None, "note": "x", "step": 3, "time": 12.5}
    run.metrics.write_text(json.dumps(line) + '\n{"torn\n[1]\n{"step": "4"}\n')
    [item] = run_files.read_metrics(run, after="", limit=10).items
    assert item.step == 3
    assert item.time_seconds == 12.5
    assert item.values == {"reward_mean": 0.5, "entropy_mean": None}


def test_a_log_line_carries_its_exception(run: RunFolder) -> None:
    line = {
        "time": "2026-11-24T12:00:00.000+00:00",
        "level": "error",
        "job": "x",
        "attempt": 2,
        "role": "learner",
        "step": None,
        "logger": "l",
        "message": "broke",
        "exception": "Traceback",
    }
    run.log.write_text(json.dumps(line) + "\n")
    [item] = run_files.read_logs(run, after="", limit=10).items
    assert (item.attempt, item.role, item.step) == (2, "learner", None)
    assert item.message == "broke\nTraceback"


@pytest.mark.parametrize("text", ["{}", "null", "[]", "nonsense", "[" * 100_000])
def test_lines_that_are_no_records_are_passed_over(run: RunFolder, text: str) -> None:
    run.metrics.write_text(f"{text}\n")
    run.log.write_text(f"{text}\n")
    assert run_files.read_metrics(run, after="", limit=10).items == ()
    assert run_files.read_logs(run, after="", limit=10).items == ()


def test_numbers_beyond_json_do_not_break_a_page(run: RunFolder) -> None:
    run.metrics.write_text('{"a": NaN, "b": Infinity, "step": 1, "time": 1}\n')
    [item] = run_files.read_metrics(run, after="", limit=10).items
    assert all(value is None or math.isfinite(value) for value in item.values.values())


def test_artifacts_are_what_people_look_at(run: RunFolder, tmp_path: Path) -> None:
    for name in (
        "report.html",
        "model/config.json",
        "attempts/1/driver.out",
        "spotlight/step-000010.json",
        "checkpoints/step-000010/COMPLETE",
        "mlflow/spool.db",
        "summary.json.part",
        ".lock",
    ):
        (run.path / name).parent.mkdir(parents=True, exist_ok=True)
        (run.path / name).write_text("x")
    (tmp_path / "secret").write_text("s")
    os.symlink(tmp_path / "secret", run.path / "model" / "link.json")
    found = {one.path: one.media_type for one in run_files.artifacts(run)}
    assert found == {
        "report.html": "text/html",
        "model/config.json": "application/json",
        "attempts/1/driver.out": "text/plain",
        "spotlight/step-000010.json": "application/json",
    }
    assert all(run_files.artifact_path(run, path).is_file() for path in found)


@pytest.mark.parametrize(
    "path",
    [
        "",
        ".",
        "..",
        "../uid-1/report.html",
        "model/../.lock",
        "model/../../../etc/passwd",
        "/etc/passwd",
        "model//etc/passwd",
        "model/link.json",
        "linked/config.json",
        "model/linked/file",
        ".lock",
        "checkpoints/step-000010/COMPLETE",
        "model",
        "model/none.json",
        "model/\0",
        "model/" + "x" * 5000,
        "report.html/x",
    ],
)
def test_nothing_else_is_given_away(run: RunFolder, tmp_path: Path, path: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("secret")
    (run.path / "model").mkdir()
    (run.path / "report.html").write_text("x")
    (run.path / ".lock").write_text("1")
    os.symlink(outside / "file", run.path / "model" / "link.json")
    os.symlink(outside, run.path / "model" / "linked")
    os.symlink(run.path / "model", run.path / "linked")
    (run.path / "checkpoints" / "step-000010").mkdir(parents=True)
    (run.path / "checkpoints" / "step-000010" / "COMPLETE").write_text("")
    with pytest.raises(JobNotFoundError, match="no artifact"):
        run_files.artifact_path(run, path)


def test_a_state_folder_behind_a_link_still_gives_its_artifacts(tmp_path: Path) -> None:
    (tmp_path / "disk" / "uid-1").mkdir(parents=True)
    os.symlink(tmp_path / "disk", tmp_path / "jobs")
    run = RunFolder.of(tmp_path / "jobs", "uid-1")
    (run.path / "report.html").write_text("x")
    assert run_files.artifact_path(run, "report.html").read_text() == "x"


@pytest.mark.parametrize("uid", ["", "..", "a/b", "../x", "-x", "x" * 64, "a\n"])
def test_a_uid_is_never_a_way_out(tmp_path: Path, uid: str) -> None:
    with pytest.raises(JobNotFoundError):
        RunFolder.of(tmp_path, uid)


def test_spotlight_steps_are_in_order_and_read_back(run: RunFolder) -> None:
    run.spotlight.mkdir()
    for step in (20, 3):
        path = run.spotlight / f"step-{step:06d}.json"
        path.write_text(json.dumps({"step": step, "samples": []}))
    (run.spotlight / "step-000004.json.part").write_text("{")
    assert run_files.spotlight_steps(run) == (3, 20)
    assert run_files.spotlight(run, 20)["step"] == 20


@pytest.mark.parametrize("text", [None, "{", "[]"], ids=["missing", "torn", "no-object"])
def test_a_spotlight_that_cannot_be_read_names_those_that_can(
    run: RunFolder, text: str | None
) -> None:
    run.spotlight.mkdir()
    (run.spotlight / "step-000003.json").write_text("{}")
    if text is not None:
        (run.spotlight / "step-000009.json").write_text(text)
    with pytest.raises(JobNotFoundError, match="choose one of these: 3"):
        run_files.spotlight(run, 9)
