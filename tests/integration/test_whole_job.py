"""A whole job with real processes: it learns nothing here, but everything must hold."""

import hashlib
import io
import json
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def png(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (56, 56, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


def steps_of(output: Path) -> list[dict[str, Any]]:
    path = output / "metrics.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return [record for line in lines if "reward_mean" in (record := json.loads(line))]


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def lines_of(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def digest(folder: Path) -> str:
    return hashlib.sha256((folder / "model" / "model.safetensors").read_bytes()).hexdigest()


def test_a_run_that_was_killed_and_resumed_ends_with_the_bytes_of_one_that_was_not(
    runs: Any, tmp_path: Path
) -> None:
    spec = runs.spec(
        data={"validationSource": "demo://colours?split=validation"}, evaluation={"maxPrompts": 4}
    )
    code, text = runs.run(spec, tmp_path / "whole")
    assert code == 0, text
    assert [record["step"] for record in steps_of(tmp_path / "whole")] == [1, 2, 3, 4]

    child = runs.start(spec, tmp_path / "killed")
    checkpoints = tmp_path / "killed" / "checkpoints"
    runs.wait_for(lambda: any(checkpoints.glob("step-*/COMPLETE")), child)
    os.kill(child.pid, signal.SIGKILL)
    child.wait(timeout=30)
    last = max(int(p.parent.name[5:]) for p in checkpoints.glob("step-*/COMPLETE"))
    assert last < 4, "the run was killed too late to say anything"
    code, text = runs.run(spec, tmp_path / "killed", "--resume")
    assert code == 0, text
    assert f"resumed from step {last}" in text
    assert digest(tmp_path / "killed") == digest(tmp_path / "whole")

    runs.export(tmp_path / "killed", tmp_path / "exported" / "model")
    assert digest(tmp_path / "exported") == digest(tmp_path / "whole")
    for name in (
        *("reward_mean", "token_dependency_mean", "grad_norm", "rollout_logprob_mismatch"),
        *("samples_generated", "tokens_trained", "samples_wasted", "trajectory_dependency_max"),
    ):
        values = [
            [record[name] for record in steps_of(tmp_path / folder)]
            for folder in ("killed", "whole")
        ]
        assert values[0] == values[1], name

    attempts = {record["step"]: record["attempt"] for record in steps_of(tmp_path / "killed")}
    assert attempts == {step: 1 if step <= last else 2 for step in (1, 2, 3, 4)}
    check_what_attempts_leave(tmp_path / "killed", last)
    accuracy = read(tmp_path / "whole" / "summary.json")["accuracyAfter"]
    shutil.rmtree(tmp_path / "killed" / "model")  # the checkpoint alone must do
    assert runs.evaluate(tmp_path / "killed")["accuracy"] == accuracy


def check_what_attempts_leave(output: Path, last: int) -> None:
    first, second = output / "attempts" / "1", output / "attempts" / "2"
    assert not (first / "exit.json").exists(), "it was killed"
    assert read(first / "progress.json")["totalSteps"] == 4
    ending = read(second / "exit.json")
    assert (ending["outcome"], ending["exitCode"], ending["failureClass"]) == ("Succeeded", 0, "")
    assert (ending["firstStep"], ending["lastStep"], ending["checkpointStep"]) == (last, 4, 4)
    progress = read(second / "progress.json")
    assert progress["incarnation"] == ending["incarnation"]
    assert (progress["stage"], progress["step"], progress["checkpoint"]["step"]) == (
        "finishing",
        4,
        4,
    )
    said = lines_of(output / "log.jsonl")
    for role in ("rollout-0", "reward-0", "dependency-0", "learner-0"):
        told = [line["attempt"] for line in said if line["role"] == role]
        assert set(told) == {1, 2}, f"{role} said in each attempt that it is ready"

    listed = {line["step"]: line for line in lines_of(output / "checkpoints.jsonl")}
    rewards = {record["step"]: record["reward_mean"] for record in steps_of(output)}
    assert {step: line["metrics"]["reward_mean"] for step, line in listed.items()} == rewards
    assert {step: line["attempt"] for step, line in listed.items()} == {
        step: 1 if step <= last else 2 for step in (1, 2, 3, 4)
    }
    assert "evaluation_accuracy" in listed[4]["metrics"]
    assert min(line["sizeBytes"] for line in listed.values()) > 1_000_000
    for step in (1, 2, 3, 4):
        samples = read(output / "spotlight" / f"step-{step:06d}.json")["samples"]
        assert {sample["reward"] for sample in samples} == {0.0, 1.0}
        assert all(len(s["tokens"]) == len(s["dependency"]) == len(s["kept"]) for s in samples)
        assert samples[0]["imagePng"] != samples[0]["maskedPng"]


def test_sigterm_saves_at_the_step_boundary_and_leaves_no_process(
    runs: Any, tmp_path: Path
) -> None:
    output = tmp_path / "run"
    child = runs.start(runs.spec(learner={"numSteps": 10_000}), output)
    runs.wait_for(lambda: len(steps_of(output)) >= 1, child)
    child.send_signal(signal.SIGTERM)
    text, _ = child.communicate(timeout=120)
    assert child.returncode == 0, text
    summary = read(output / "summary.json")
    assert summary["state"] == "Stopped"
    assert summary["checkpoint"].endswith(f"step-{summary['step']:06d}")
    ending = read(output / "attempts" / "1" / "exit.json")
    assert (ending["outcome"], ending["checkpointStep"]) == ("Stopped", summary["step"])
    deadline = time.monotonic() + 30
    while runs.processes():
        assert time.monotonic() < deadline, runs.processes()
        time.sleep(0.2)


@pytest.mark.parametrize("role", ["RolloutDeployment", "LearnerDeployment"])
def test_a_role_that_dies_ends_the_run_with_its_name_and_step(
    runs: Any, tmp_path: Path, role: str
) -> None:
    output = tmp_path / "run"
    child = runs.start(runs.spec(learner={"numSteps": 10_000}), output)
    runs.wait_for(lambda: any((output / "checkpoints").glob("step-*/COMPLETE")), child)
    victims = [pid for pid, command in runs.processes().items() if f"ray::{role}" in command]
    assert len(victims) == 1
    os.kill(victims[0], signal.SIGKILL)
    text, _ = child.communicate(timeout=120)
    assert child.returncode == 10, text
    assert "RoleDied: role" in text
    assert "at step" in text
    ending = read(output / "attempts" / "1" / "exit.json")
    assert (ending["outcome"], ending["failureClass"]) == ("Failed", "RoleDied")
    assert ending["exitCode"] == 10
    assert any((output / "checkpoints").glob("step-*/COMPLETE"))


def test_faults_around_the_training_are_counted_and_do_not_stop_it(
    runs: Any, tmp_path: Path
) -> None:
    """A grader that hangs and raises, bad rows, an address that cannot be written; two ranks."""
    (tmp_path / "file").write_text("in the way")
    rows: list[dict[str, Any]] = [
        {
            "id": f"good-{i}",
            "problem": "<image>list the colours",
            "answer": "x",
            "images": ["a.png"],
        }
        for i in range(6)
    ]
    rows += [
        {"id": "corrupt", "problem": "<image>list", "answer": "x", "images": ["broken.png"]},
        {"id": "no-answer", "problem": "<image>list", "answer": "", "images": ["a.png"]},
        {"id": "long", "problem": "<image>" + "list " * 500, "answer": "x", "images": ["a.png"]},
        {"id": "count", "problem": "<image><image>list", "answer": "x", "images": ["a.png"]},
    ]
    (tmp_path / "a.png").write_bytes(png(0))
    (tmp_path / "broken.png").write_bytes(b"no picture")
    source = tmp_path / "rows.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    spec = runs.spec(
        data={"source": str(source), "maxPromptTokens": 128, "maxQuarantineShare": 0.5},
        learner={"numSteps": 2, "promptsPerUpdate": 4},
        algorithm={"dynamicSampling": False, "referenceKlCoef": 0.01},
        placement={"learner": {"replicas": 2}, "dependency": {"replicas": 2}},
        checkpoint={"everySteps": 1, "uri": str(tmp_path / "file" / "x")},
    )
    output = tmp_path / "run"
    code, text = runs.run(spec, output, GRADER_FAULTS="1")
    assert code == 0, text
    first, last = steps_of(output)
    assert first["reward_verdicts{timeout}"] + last.get("reward_verdicts{timeout}", 0) > 0
    assert first["reward_verdicts{error}"] + last.get("reward_verdicts{error}", 0) > 0
    assert last["checkpoint_failures"] == 1
    assert "was not written" in text
    said = [line for line in lines_of(output / "log.jsonl") if "graded by" in line["message"]]
    assert {(line["role"], line["level"]) for line in said} == {("reward-0", "warning")}
    assert {line["step"] for line in said} <= {1, 2}, "said by another process, in a step"
    assert (output / "model" / "model.safetensors").exists()
    quarantined = [json.loads(line) for line in (output / "quarantine.jsonl").open()]
    assert {row["uid"]: row["reason"] for row in quarantined} == {
        "corrupt": "corrupt_image",
        "no-answer": "empty_answer",
        "long": "too_long",
        "count": "image_count",
    }


def test_a_whole_job_with_vllm_reports_to_mlflow_and_prometheus(runs: Any, tmp_path: Path) -> None:
    output = tmp_path / "run"
    spec = runs.spec(
        data={
            "source": "demo://colours",
            "validationSource": "demo://colours?split=validation",
            "maxPromptTokens": 128,
        },
        evaluation={"maxPrompts": 8},
        rollout={
            "engine": "vllm",
            "groupSize": 4,
            "promptsPerStep": 4,
            "maxResponseTokens": 12,
            "enforceEager": True,
        },
    )
    code, text = runs.run(spec, output)
    assert code == 0, text
    summary = json.loads((output / "summary.json").read_text())
    assert summary["accuracyBefore"] is not None
    assert summary["accuracyAfter"] is not None
    assert (output / "report.html").stat().st_size > 1_000_000
    for record in steps_of(output):
        assert record["rollout_logprob_mismatch"] < 1e-3, "sampler and learner disagree"
        assert record["policy_version"] == record["step"]
    assert json.loads((output / "metrics.json").read_text())["port"] > 0

    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    [experiment] = [e for e in client.search_experiments() if e.name == "vppo"]
    runs_by_name = {r.info.run_name: r for r in client.search_runs([experiment.experiment_id])}
    name = json.loads((output / "job.json").read_text())["metadata"]["name"]
    assert set(runs_by_name) == {name, f"{name} attempt 1"}
    whole, attempt = runs_by_name[name], runs_by_name[f"{name} attempt 1"]
    history = client.get_metric_history(attempt.info.run_id, "reward/mean")
    assert sorted(point.step for point in history) == [1, 2, 3, 4]
    assert whole.data.params["rollout.groupSize"] == "4"
    assert whole.data.metrics["summary/accuracy_after"] == summary["accuracyAfter"]
    assert whole.data.tags["vppo.state"] == "Succeeded"
    artifacts = {file.path for file in client.list_artifacts(whole.info.run_id)}
    assert {"report.html", "spec.yaml", "metrics.jsonl", "spotlight", "models"} <= artifacts
    [version] = client.search_model_versions(f"name = '{name}'")
    assert version.run_id == whole.info.run_id
