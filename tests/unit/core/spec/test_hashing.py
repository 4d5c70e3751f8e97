"""The hash names what a job asks, however it was written down."""

import json
import random
from typing import Any

from vppo_core.spec.hashing import canonical_json, differences, spec_hash
from vppo_core.spec.job import VPPOJobSpec

SMALLEST: dict[str, Any] = {"model": {"source": "m"}, "data": {"source": "d"}}


def spec(**sections: Any) -> VPPOJobSpec:
    return VPPOJobSpec.model_validate({**SMALLEST, **sections})


def test_a_default_written_out_changes_nothing() -> None:
    assert spec_hash(spec(rollout={"groupSize": 8})) == spec_hash(spec())


def test_order_and_spelling_of_numbers_change_nothing() -> None:
    resolved = json.loads(canonical_json(spec()))
    names = list(resolved)
    random.Random(0).shuffle(names)
    shuffled = {name: resolved[name] for name in names}
    shuffled["algorithm"]["dualClip"] = 3
    assert spec_hash(VPPOJobSpec.model_validate(shuffled)) == spec_hash(spec())


def test_every_change_changes_the_hash() -> None:
    assert spec_hash(spec(seed=1)) != spec_hash(spec())


def test_canonical_json_is_sorted_and_without_blanks() -> None:
    text = canonical_json(spec())
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))


def test_differences_name_path_and_both_values() -> None:
    (one,) = differences(spec(), spec(rollout={"groupSize": 4}))
    assert (one.path, one.before, one.after) == ("rollout.groupSize", 8, 4)


def test_a_resumed_run_may_change_its_end_and_its_surroundings() -> None:
    after = spec(
        learner={"numSteps": 10, "learningRate": 0.1},
        checkpoint={"everySteps": 1},
        evaluation={"everySteps": 3},
        tracking={"experiment": "x"},
        placement={"learner": {"replicas": 2}},
    )
    frozen = [one.path for one in differences(spec(), after) if not one.may_change_on_resume]
    assert len(differences(spec(), after)) == 6
    assert frozen == ["learner.learningRate"]
