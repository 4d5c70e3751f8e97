"""The spec itself: defaults of the paper, bounds, and rules across sections."""

from typing import Any

import pytest
from annotated_types import Ge, Gt, Le, Lt
from pydantic import ValidationError

from vppo_core.spec.fields import Leaf, leaves
from vppo_core.spec.job import VPPOJob, VPPOJobSpec

SMALLEST = {"model": {"source": "m"}, "data": {"source": "d"}}


def with_field(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    spec: dict[str, Any] = {name: dict(section) for name, section in SMALLEST.items()}
    place = spec
    for name in path[:-1]:
        place = place.setdefault(name, {})
    place[path[-1]] = value
    return spec


def outside(leaf: Leaf) -> list[float]:
    found: list[float] = []
    step = 1 if leaf.info.annotation is int else 1e-6
    for bound in leaf.info.metadata:
        match bound:
            case Ge(ge=limit):
                found.append(limit - step)
            case Le(le=limit):
                found.append(limit + step)
            case Gt(gt=limit) | Lt(lt=limit):
                found.append(limit)
    return found


BOUNDED = [pytest.param(leaf, id=".".join(leaf.path)) for leaf in leaves() if outside(leaf)]


def test_defaults_are_the_values_of_the_paper() -> None:
    spec = VPPOJobSpec.model_validate(SMALLEST)
    assert (spec.rollout.group_size, spec.rollout.prompts_per_step) == (8, 384)
    assert (spec.learner.prompts_per_update, spec.learner.num_steps) == (128, 202)
    assert (spec.algorithm.token_keep_ratio, spec.algorithm.shaping_min) == (0.4, 0.9)
    assert (spec.algorithm.clip_ratio_low, spec.algorithm.clip_ratio_high) == (0.2, 0.28)
    assert (spec.algorithm.penalty_coef, spec.learner.learning_rate) == (0.06, 1e-6)
    assert spec.dependency.estimator == "kl_full"


@pytest.mark.parametrize("leaf", BOUNDED)
def test_a_value_just_outside_its_bounds_is_refused(leaf: Leaf) -> None:
    for value in outside(leaf):
        with pytest.raises(ValidationError, match=leaf.path[-1]):
            VPPOJobSpec.model_validate(with_field(leaf.path, value))


def test_every_number_has_a_lower_and_an_upper_bound() -> None:
    unbounded = [
        leaf.path
        for leaf in leaves()
        if leaf.info.annotation in (int, float) and len(outside(leaf)) != 2
    ]
    assert unbounded == []


def test_every_field_has_one_sentence_of_description() -> None:
    lacking = [
        leaf.path for leaf in leaves() if not (leaf.info.description or "").strip().endswith(".")
    ]
    assert lacking == []


def test_sections_are_frozen() -> None:
    spec = VPPOJobSpec.model_validate(SMALLEST)
    with pytest.raises(ValidationError, match="frozen"):
        spec.rollout.group_size = 4  # type: ignore[misc]


def test_jobs_do_not_share_labels() -> None:
    one, other = (VPPOJob.model_validate({"spec": SMALLEST}) for _ in range(2))
    one.metadata.labels["team"] = "a"
    assert other.metadata.labels == {}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        pytest.param(
            {"learner": {"promptsPerUpdate": 100}},
            "learner.promptsPerUpdate must divide rollout.promptsPerStep (384), got 100",
            id="updates-divide-the-step",
        ),
        pytest.param(
            {"dependency": {"enabled": False}},
            "dependency.enabled must be true for algorithm.shaping",
            id="shaping-needs-dependency",
        ),
        pytest.param(
            {"dependency": {"enabled": False}, "algorithm": {"shaping": "none"}},
            "dependency.enabled must be true for algorithm.shaping or a tokenKeepRatio below 1",
            id="filtering-needs-dependency",
        ),
        pytest.param(
            {"algorithm": {"dualClip": 1.0}},
            "algorithm.dualClip must be 0 (off) or above 1, got 1.0",
            id="dual-clip-off-or-above-one",
        ),
        pytest.param(
            {"algorithm": {"filterLow": 0.5, "filterHigh": 0.5}},
            "algorithm.filterLow must be below algorithm.filterHigh (0.5), got 0.5",
            id="filter-bounds-in-order",
        ),
        pytest.param(
            {"model": {"source": "m", "minPixels": 2_000_000}},
            "model.minPixels must not exceed model.maxPixels (1003520), got 2000000",
            id="pixel-bounds-in-order",
        ),
        pytest.param(
            {"rollout": {"tensorParallelSize": 2}},
            "rollout.tensorParallelSize must equal placement.rollout.gpus (0)",
            id="a-replica-has-the-gpus-it-shares",
        ),
        pytest.param(
            {"dependency": {"grid": "reference", "fill": "blur"}},
            "dependency.fill must be 'black' on the 'reference' grid, got 'blur'",
            id="reference-grid-is-black",
        ),
        pytest.param(
            {"algorithm": {"shapingScope": "reference_device", "shaping": "fixed"}},
            "algorithm.shapingScope 'reference_device' must go with shaping 'dynamic'",
            id="reference-scope-is-dynamic",
        ),
    ],
)
def test_fields_that_disagree_are_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError) as caught:
        VPPOJobSpec.model_validate({**SMALLEST, **changes})
    assert sentence in str(caught.value)


@pytest.mark.parametrize("grader", ["math", "math_verify", "exact_match", "my.module:grade"])
def test_graders_are_the_built_in_ones_or_a_function(grader: str) -> None:
    spec = VPPOJobSpec.model_validate({**SMALLEST, "reward": {"grader": grader}})
    assert spec.reward.grader == grader
