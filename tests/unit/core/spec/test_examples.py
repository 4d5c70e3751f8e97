"""Every example is a job; those of the paper are the presets, the demos differ in the method."""

from pathlib import Path

import pytest

from vppo_core.spec.hashing import differences
from vppo_core.spec.loading import load_job
from vppo_core.spec.presets import preset

EXAMPLES = Path(__file__).parents[4] / "helm" / "examples"
FILES = sorted(EXAMPLES.glob("*.yaml"))
DAPO = ["algorithm.shaping=none", "algorithm.tokenKeepRatio=1"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_example_is_a_job_named_like_its_file(path: Path) -> None:
    assert load_job(path.read_text()).metadata.name == path.stem


@pytest.mark.parametrize(
    ("example", "name"),
    [
        ("vppo-qwen25-vl-7b", "vppo-7b"),
        ("vppo-qwen3-vl-8b", "vppo-8b"),
        ("vppo-qwen25-vl-32b", "vppo-32b"),
        ("dapo-qwen25-vl-7b", "dapo-7b"),
        ("grpo-qwen25-vl-7b", "grpo-7b"),
    ],
)
def test_an_example_of_the_paper_is_its_preset(example: str, name: str) -> None:
    spec = load_job((EXAMPLES / f"{example}.yaml").read_text()).spec
    assert differences(preset(name).job().spec, spec) == ()


def test_the_vppo_demo_with_two_fields_set_is_the_dapo_demo() -> None:
    vppo, dapo = ((EXAMPLES / f"demo-{name}.yaml").read_text() for name in ("vppo", "dapo"))
    assert load_job(vppo, DAPO).spec == load_job(dapo).spec


def test_the_grpo_demo_differs_from_the_dapo_demo_as_their_presets_do() -> None:
    dapo, grpo = (
        load_job((EXAMPLES / f"demo-{name}.yaml").read_text()).spec for name in ("dapo", "grpo")
    )
    presets = differences(preset("dapo-7b").job().spec, preset("grpo-7b").job().spec)
    assert differences(dapo, grpo) == presets
