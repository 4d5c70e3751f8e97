"""A whole job with real processes: it learns nothing here, but everything must hold."""

import hashlib
import io
import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

DEADLINE_SECONDS = 300.0


def png(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (56, 56, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


def steps_of(output: Path) -> list[dict[str, Any]]:
    path = output / "metrics.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return [record for line in lines if "reward_mean" in (record := json.loads(line))]


def wait_for(condition: Callable[[], bool], child: Any) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert child.poll() is None, child.stdout.read()
        assert time.monotonic() < deadline, "the run does not get there"
        time.sleep(0.05)


def digest(folder: Path) -> str:
    return hashlib.sha256((folder / "model" / "model.safetensors").read_bytes()).hexdigest()


def processes_of(output: Path) -> list[int]:
    """Processes that were started with this run's folder or below it in their command line."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes().decode(errors="replace")
            environment = (entry / "environ").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if str(output.parent / "grader") in command + environment:
            found.append(int(entry.name))
    return found


def test_a_run_that_was_killed_and_resumed_ends_with_the_bytes_of_one_that_was_not(
    runs: Any, tmp_path: Path
) -> None:
    spec = runs.spec()
    code, text = runs.run(spec, tmp_path / "whole")
    assert code == 0, text
    assert [record["step"] for record in steps_of(tmp_path / "whole")] == [1, 2, 3, 4]

    child = runs.start(spec, tmp_path / "killed")
    checkpoints = tmp_path / "killed" / "checkpoints"
    wait_for(lambda: any(checkpoints.glob("step-*/COMPLETE")), child)
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
    for name in ("reward_mean", "token_dependency_mean", "grad_norm", "rollout_logprob_mismatch"):
        values = [
            [record[name] for record in steps_of(tmp_path / folder)]
            for folder in ("killed", "whole")
        ]
        assert values[0] == values[1], name


def test_sigterm_saves_at_the_step_boundary_and_leaves_no_process(
    runs: Any, tmp_path: Path
) -> None:
    output = tmp_path / "run"
    child = runs.start(runs.spec(learner={"numSteps": 10_000}), output)
    wait_for(lambda: len(steps_of(output)) >= 1, child)
    child.send_signal(signal.SIGTERM)
    text, _ = child.communicate(timeout=120)
    assert child.returncode == 0, text
    summary = json.loads((output / "summary.json").read_text())
    assert summary["state"] == "Stopped"
    assert summary["checkpoint"].endswith(f"step-{summary['step']:06d}")
    deadline = time.monotonic() + 30
    while processes_of(output):
        assert time.monotonic() < deadline, processes_of(output)
        time.sleep(0.2)


@pytest.mark.parametrize("role", ["RolloutDeployment", "LearnerDeployment"])
def test_a_role_that_dies_ends_the_run_with_its_name_and_step(
    runs: Any, tmp_path: Path, role: str
) -> None:
    output = tmp_path / "run"
    child = runs.start(runs.spec(learner={"numSteps": 10_000}), output)
    wait_for(lambda: any((output / "checkpoints").glob("step-*/COMPLETE")), child)
    victims = [
        pid
        for pid in processes_of(output)
        if f"ray::{role}" in Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    ]
    assert len(victims) == 1
    os.kill(victims[0], signal.SIGKILL)
    text, _ = child.communicate(timeout=120)
    assert child.returncode == 10, text
    assert "RoleDied: role" in text
    assert "at step" in text
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
    [run] = client.search_runs([experiment.experiment_id])
    history = client.get_metric_history(run.info.run_id, "reward/mean")
    assert sorted(point.step for point in history) == [1, 2, 3, 4]
    assert run.data.params["rollout.groupSize"] == "4"
    artifacts = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert {"report.html", "model"} <= artifacts


def test_a_missing_data_set_is_one_sentence_before_any_process(runs: Any, tmp_path: Path) -> None:
    code, text = runs.run(runs.spec(data={"source": "/nowhere/rows.parquet"}), tmp_path / "run")
    assert code == 2
    assert "data.source" in text
    assert "Traceback" not in text


def test_a_model_without_vision_is_one_sentence_before_any_process(
    runs: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "text-only"
    folder.mkdir()
    config = {"model_type": "qwen2", "architectures": ["Qwen2ForCausalLM"], "hidden_size": 8}
    (folder / "config.json").write_text(json.dumps(config))
    code, text = runs.run(runs.spec(model={"source": str(folder)}), tmp_path / "run")
    assert code == 2
    assert "model.source must be a vision-language model" in text
    assert "Traceback" not in text
