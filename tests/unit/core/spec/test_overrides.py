"""`--set PATH=VALUE`: paths in both spellings, values as YAML, typos with the nearest name."""

from typing import Any

import pytest

from vppo_core.errors import InvalidSpecError
from vppo_core.spec.loading import job_from_document
from vppo_core.spec.overrides import apply_overrides


def document() -> dict[str, Any]:
    return {
        "apiVersion": "vppo.io/v1alpha1",
        "kind": "VPPOJob",
        "spec": {"model": {"source": "m"}, "data": {"source": "d"}, "rollout": None},
    }


@pytest.mark.parametrize(
    ("assignment", "path", "value"),
    [
        pytest.param("algorithm.tokenKeepRatio=1", "algorithm.token_keep_ratio", 1.0, id="wire"),
        pytest.param("algorithm.token_keep_ratio=1", "algorithm.token_keep_ratio", 1.0, id="snake"),
        pytest.param("spec.seed=3", "seed", 3, id="from-the-top"),
        pytest.param("algorithm.shaping=none", "algorithm.shaping", "none", id="choice"),
        pytest.param("rollout.enforceEager=true", "rollout.enforce_eager", True, id="switch"),
        pytest.param("rollout.groupSize=16", "rollout.group_size", 16, id="empty-section-in-file"),
        pytest.param("learner.learningRate=1e-6", "learner.learning_rate", 1e-6, id="exponent"),
        pytest.param("model.revision=1234567", "model.revision", "1234567", id="text-of-digits"),
        pytest.param("data.validationSource=", "data.validation_source", "", id="empty-text"),
        pytest.param(
            "data.source=demo://a?split=b", "data.source", "demo://a?split=b", id="equals-in-value"
        ),
        pytest.param('model.source="a b"', "model.source", "a b", id="quoted"),
        pytest.param("placement.learner.replicas=2", "placement.learner.replicas", 2, id="deep"),
    ],
)
def test_an_assignment_changes_one_field(assignment: str, path: str, value: object) -> None:
    changed = apply_overrides({**document(), "spec": {**document()["spec"]}}, [assignment])
    changed["spec"] = {name: v for name, v in changed["spec"].items() if v is not None}
    found: Any = job_from_document(changed).spec
    for name in path.split("."):
        found = getattr(found, name)
    assert found == value


def test_the_last_assignment_wins_and_the_file_is_untouched() -> None:
    before = document()
    after = apply_overrides(before, ["seed=1", "seed=2"])
    assert (after["spec"]["seed"], before) == (2, document())


def test_assignments_can_supply_what_the_file_lacks() -> None:
    bare = {"apiVersion": "vppo.io/v1alpha1", "kind": "VPPOJob"}
    job = job_from_document(apply_overrides(bare, ["model.source=m", "data.source=d"]))
    assert job.spec.model.source == "m"


@pytest.mark.parametrize(
    ("assignment", "sentence"),
    [
        pytest.param(
            "rollout.groupsize=4",
            "--set must name a field of the spec, got 'rollout.groupsize'; "
            "did you mean 'rollout.groupSize'?",
            id="typo",
        ),
        pytest.param(
            "groupSize=4",
            "--set must name a field of the spec, got 'groupSize'; "
            "did you mean 'rollout.groupSize'?",
            id="section-left-out",
        ),
        pytest.param(
            "qqq=1",
            "--set must name a field of the spec, got 'qqq'; `vppo schema job` lists all fields",
            id="nothing-near",
        ),
        pytest.param(
            "algorithm=1",
            "--set must name one field, got the section 'algorithm'; "
            "name one of its fields, such as algorithm.advantage",
            id="section",
        ),
        pytest.param(
            "algorithm",
            "--set must look like rollout.groupSize=16, got 'algorithm'; write PATH=VALUE",
            id="no-value",
        ),
        pytest.param(
            "seed=[",
            "--set seed must be given one YAML value, got '['; put text in quotes",
            id="not-yaml",
        ),
    ],
)
def test_a_wrong_assignment_gets_a_sentence(assignment: str, sentence: str) -> None:
    with pytest.raises(InvalidSpecError) as caught:
        apply_overrides(document(), [assignment])
    assert str(caught.value) == sentence


def test_all_wrong_assignments_are_told_at_once() -> None:
    with pytest.raises(InvalidSpecError) as caught:
        apply_overrides(document(), ["a=1", "seed=1", "b"])
    assert len(str(caught.value).splitlines()) == 2


def test_a_section_that_is_no_mapping_is_left_to_the_check_of_the_job() -> None:
    broken = document()
    broken["spec"]["rollout"] = [1]
    with pytest.raises(InvalidSpecError, match=r"rollout must hold fields, got a list"):
        job_from_document(apply_overrides(broken, ["rollout.groupSize=4"]))
