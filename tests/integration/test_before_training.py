"""A job that never comes to its first step: refused, or stopped while it starts."""

import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


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


@pytest.mark.parametrize("moment", ["while it imports", "while roles start"])
def test_sigterm_before_the_first_step_is_a_stop(runs: Any, tmp_path: Path, moment: str) -> None:
    output = tmp_path / "run"
    child = runs.start(runs.spec(), output)
    runs.wait_for((output / "attempts" / "1" / "progress.json").exists, child)
    if moment == "while roles start":
        runs.wait_for(lambda: "Deployment" in " ".join(runs.processes().values()), child)
    child.send_signal(signal.SIGTERM)
    text, _ = child.communicate(timeout=120)
    assert child.returncode == 0, text
    ending = json.loads((output / "attempts" / "1" / "exit.json").read_text())
    assert (ending["outcome"], ending["checkpointStep"]) == ("Stopped", 0)
    assert "Traceback" not in text
    # Agents of Ray without a model end a minute later by themselves; roles must be gone.
    deadline = time.monotonic() + 30
    while "Deployment" in " ".join(runs.processes().values()):
        assert time.monotonic() < deadline, runs.processes()
        time.sleep(0.2)
