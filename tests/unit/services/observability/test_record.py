import json
import math
from pathlib import Path

import pytest

from vppo_core.runs.writing import append_line
from vppo_services.observability.record import (
    StepRecord,
    cut_steps,
    history,
    read_steps,
    restore_history,
)


def test_values_that_are_not_finite_are_set_apart() -> None:
    values = {"reward_mean": 0.5, "grad_norm": math.nan, "policy_loss": math.inf}
    record = StepRecord.of(3, values, now=12.0)
    assert record.values == {"reward_mean": 0.5}
    assert record.nonfinite == ("grad_norm", "policy_loss")
    assert json.loads(json.dumps(record.as_json(), allow_nan=False)) == {
        "step": 3,
        "time": 12.0,
        "reward_mean": 0.5,
        "grad_norm": None,
        "policy_loss": None,
    }


def test_a_value_that_is_not_catalogued_is_refused() -> None:
    with pytest.raises(LookupError, match="my_metric"):
        StepRecord.of(0, {"my_metric": 1.0}, now=0.0)


def test_lines_of_one_step_are_read_as_one(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    for line in ({"step": 1, "reward_mean": 0.5}, {"step": 0}, {"step": 1, "grad_norm": 2.0}):
        append_line(path, json.dumps(line))
    assert read_steps(path) == [{"step": 0}, {"step": 1, "reward_mean": 0.5, "grad_norm": 2.0}]


def test_steps_after_the_checkpoint_and_a_torn_line_are_cut(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1}\n{"step": 2}\n{"step": 3}\n{"step": 4, "rew')
    cut_steps(path, last_step=2)
    assert path.read_text() == '{"step": 1}\n{"step": 2}\n'
    assert [p.name for p in tmp_path.iterdir()] == ["metrics.jsonl"]


def test_a_file_that_does_not_exist_reads_as_no_steps(tmp_path: Path) -> None:
    cut_steps(tmp_path / "none.jsonl", last_step=1)
    assert read_steps(tmp_path / "none.jsonl") == []


def test_a_history_is_the_truth_of_its_steps_and_leaves_all_others(tmp_path: Path) -> None:
    """Step 2 was trained twice; the weights are those of the second time."""
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 2, "evaluation_accuracy": 1}\n{"step": 2, "reward_mean": 2}\n')
    saved = history(path, last_step=2)
    path.write_text('{"step": 1}\n{"step": 2, "reward_mean": 0}\n{"step": 3}\n{"st')
    assert restore_history(path, saved) == 0
    assert read_steps(path) == [
        {"step": 1},
        {"step": 2, "evaluation_accuracy": 1, "reward_mean": 2},
        {"step": 3},
    ]
    path.unlink()
    assert restore_history(path, saved) == 1


def test_a_damaged_history_leaves_the_file(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1}\n')
    with pytest.raises(OSError, match="cut short"):
        restore_history(path, history(path, last_step=1)[:-4])
    assert path.read_text() == '{"step": 1}\n'
