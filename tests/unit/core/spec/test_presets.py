"""Presets: each is a job, and differs from its neighbour in the fields that define it."""

import pytest

from vppo_core.errors import InvalidSpecError
from vppo_core.spec.hashing import differences
from vppo_core.spec.loading import job_from_document
from vppo_core.spec.presets import PRESETS, preset

DAPO = {"dependency.enabled", "algorithm.shaping", "algorithm.tokenKeepRatio"}
GRPO = {
    "algorithm.clipRatioHigh",
    "algorithm.penaltyCoef",
    "algorithm.referenceKlCoef",
    "algorithm.dynamicSampling",
}
REFERENCE = {
    "rollout.topP",
    "dependency.estimator",
    "dependency.grid",
    "dependency.headPrecision",
    "algorithm.shapingScope",
    "algorithm.tokenKeepRounding",
    "algorithm.carryOver",
    "algorithm.mismatchCap",
    "learner.optimizer",
}


def test_the_presets_of_the_paper_are_there() -> None:
    assert set(PRESETS) == {
        "vppo-7b",
        "vppo-8b",
        "vppo-32b",
        "dapo-7b",
        "grpo-7b",
        "vppo-on-grpo-7b",
        "reference-compat-7b",
    }


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_a_whole_job_on_the_wire(name: str) -> None:
    job = job_from_document(preset(name).document())
    assert job == preset(name).job()
    assert job.metadata.name == name


@pytest.mark.parametrize(
    ("one", "other", "fields"),
    [
        pytest.param("vppo-7b", "dapo-7b", DAPO, id="dapo-is-vppo-without-two-levers"),
        pytest.param("dapo-7b", "grpo-7b", GRPO, id="grpo-is-dapo-without-sampling-rounds"),
        pytest.param("vppo-7b", "vppo-on-grpo-7b", GRPO, id="vppo-stands-on-grpo"),
        pytest.param("grpo-7b", "vppo-on-grpo-7b", DAPO, id="the-same-two-levers"),
        pytest.param("vppo-7b", "reference-compat-7b", REFERENCE, id="numerics-of-the-authors"),
        pytest.param(
            "vppo-7b",
            "vppo-8b",
            {
                "model.source",
                "rollout.maxResponseTokens",
                "rollout.maxBatchedTokens",
                "algorithm.penaltyCoef",
                "learner.numSteps",
            },
            id="longer-answers",
        ),
    ],
)
def test_presets_differ_in_these_fields_alone(one: str, other: str, fields: set[str]) -> None:
    found = differences(preset(one).job().spec, preset(other).job().spec)
    assert {difference.path for difference in found} == fields


def test_a_document_may_be_changed_without_changing_the_preset() -> None:
    preset("vppo-7b").document()["spec"]["model"]["source"] = "x"
    assert preset("vppo-7b").job().spec.model.source == "Qwen/Qwen2.5-VL-7B-Instruct"


def test_an_unknown_preset_names_the_nearest() -> None:
    with pytest.raises(InvalidSpecError, match="did you mean 'vppo-7b'"):
        preset("vppo7b")
