"""The real driver on a real Ray cluster of several nodes, reporting to the real receiver."""

import json
import os
import shutil
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from vppo_core.runs.files import ExitFile, ProgressFile, StopFile, checkpoint_lines, write_json
from vppo_services.observability.record import cut_steps

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def steps_of(path: Path) -> list[int]:
    lines = path.read_text().splitlines() if path.exists() else []
    return [line["step"] for text in lines if "reward_mean" in (line := json.loads(text))]


def test_every_role_lands_on_its_own_node_and_the_operator_has_the_whole_run(
    pods: Any, cluster: Any, tmp_path: Path
) -> None:
    for role in ("reward", "dependency", "learner"):
        cluster.add(role)
    spec = pods.spec(
        data={"validationSource": "demo://colours?split=validation"},
        evaluation={"maxPrompts": 4},
        placement={"learner": {"replicas": 2}, "reward": {"replicas": 2}},
    )
    output, there = tmp_path / "volume" / "uid-1", pods.mirror("uid-1")
    child = pods.start(spec, output, "uid-1")
    # The driver starts as soon as the head is there; the last worker group is late.
    pods.wait_for(lambda: there.progress(1).exists(), child, output)
    cluster.add("rollout")
    text, _ = child.communicate(timeout=600)
    assert child.returncode == 0, (output / "attempts/1/driver.out").read_text()
    assert text.splitlines()[0] == (
        f"vppo: attempt 1 of job colours writes to {output}/attempts/1/driver.out"
    )
    assert text.splitlines()[1].startswith("vppo: attempt 1: Succeeded ")

    ending = ExitFile.read(there.exit(1))
    assert ending is not None
    assert (ending.outcome, ending.last_step, ending.checkpoint_step) == ("Succeeded", 2, 2)
    progress = ProgressFile.read(there.progress(1))
    assert progress is not None
    assert progress.step == progress.total_steps == 2
    assert steps_of(there.metrics) == [1, 2]
    saved = checkpoint_lines(there.checkpoint_lines)
    assert list(saved) == [1, 2]
    assert (Path(saved[2].uri) / "COMPLETE").exists()
    for name in (
        *("report.html", "summary.json", "job.json", "log.jsonl", "metrics.json"),
        *("spotlight/step-000001.json", "spotlight/step-000002.json"),
        *("attempts/1/driver.out", "attempts/1/environment.json"),
    ):
        assert (there.path / name).read_bytes() == (output / name).read_bytes(), name
    assert json.loads((output / "metrics.json").read_text())["port"] == 9464

    assert cluster.actors() == {
        "RolloutDeployment": {cluster.node_of["rollout"]},
        "RewardDeployment": {cluster.node_of["reward"]},
        "DependencyDeployment": {cluster.node_of["dependency"]},
        "LearnerDeployment": {cluster.node_of["learner"]},
    }


def test_a_head_that_was_restarted_goes_on_and_stops_when_the_operator_asks(
    pods: Any, cluster: Any, tmp_path: Path
) -> None:
    """Its volume died with it; checkpoints lie elsewhere, the history is at the operator, but for
    the last steps, which it was never told of."""
    for role in ("reward", "dependency", "learner", "rollout"):
        cluster.add(role)
    spec = pods.spec(
        learner={"numSteps": 10_000}, checkpoint={"uri": str(tmp_path / "checkpoints")}
    )
    output, there = tmp_path / "volume" / "uid-2", pods.mirror("uid-2")
    child = pods.start(spec, output, "uid-2")
    pods.wait_for(lambda: 2 in checkpoint_lines(there.checkpoint_lines), child, output)
    pods.wait_for(lambda: 2 in steps_of(there.metrics), child, output)
    os.kill(child.pid, signal.SIGKILL)
    child.wait(30)
    before = ProgressFile.read(there.progress(1))
    shutil.rmtree(output)
    cut_steps(there.metrics, last_step=1)

    child = pods.start(spec, output, "uid-2")
    last = max(int(p.parent.name[5:]) for p in (tmp_path / "checkpoints").glob("*/COMPLETE"))
    pods.wait_for(lambda: last + 1 in checkpoint_lines(there.checkpoint_lines), child, output)
    now = datetime.now(UTC)
    stop = StopFile(reason="Paused", requested=now, deadline=now + timedelta(minutes=5))
    write_json(there.stop(1), stop)
    child.communicate(timeout=300)
    assert child.returncode == 0

    ending, after = ExitFile.read(there.exit(1)), ProgressFile.read(there.progress(1))
    assert ending is not None
    assert before is not None
    assert after is not None
    assert (ending.outcome, ending.first_step) == ("Stopped", last)
    assert ending.checkpoint_step == ending.last_step
    assert before.incarnation != after.incarnation, "the operator sees that it began again"
    steps = steps_of(there.metrics)
    assert steps == list(range(1, len(steps) + 1)), "the history survived, nothing is there twice"
    assert set(checkpoint_lines(there.checkpoint_lines)) >= set(range(1, last + 2))
    assert ending.last_step == steps[-1]
    told = StopFile.read(output / "attempts" / "1" / "stop.json")
    assert told is not None
    assert told.is_signalled
