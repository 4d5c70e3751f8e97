"""Job files: what is wrong with one is said in sentences that name field, value and cure."""

import json

import pytest

from vppo_core.errors import InvalidSpecError
from vppo_core.spec.loading import job_text, load_job
from vppo_core.spec.parsing import MAX_BYTES

HEAD = """\
apiVersion: vppo.io/v1alpha1
kind: VPPOJob
metadata: {name: a}
spec:
  model: {source: m}
  data: {source: d}
"""


def problems(text: str) -> list[str]:
    with pytest.raises(InvalidSpecError) as caught:
        load_job(text)
    return str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param(
            HEAD + "  rollout: {groupSize: 1}\n",
            "rollout.groupSize must be at least 2 and at most 128, got 1; "
            "raise it (the default is 8)",
            id="below-its-bound",
        ),
        pytest.param(
            HEAD + "  rollout: {topP: 1.5}\n",
            "rollout.topP must be above 0 and at most 1, got 1.5; lower it (the default is 1.0)",
            id="above-its-bound",
        ),
        pytest.param(
            HEAD + "  rollout: {group_sice: 8}\n",
            "rollout.group_sice is not a field of a job, got 8; did you mean 'groupSize'?",
            id="typo-in-a-field",
        ),
        pytest.param(
            HEAD + "  rolout: {}\n",
            "rolout is not a field of a job, got a mapping; did you mean 'rollout'?",
            id="typo-in-a-section",
        ),
        pytest.param(
            HEAD + "  learner: {learningRate: 1e-6}\n",
            "learner.learningRate must be a number, got '1e-6'; "
            "write 0.000001 or 1.0e-6 (YAML reads 1e-6 as text)",
            id="exponent-that-yaml-reads-as-text",
        ),
        pytest.param(
            HEAD + '  learner: {numSteps: "8"}\n',
            "learner.numSteps must be a whole number, got '8'; write 8 without quotes",
            id="number-in-quotes",
        ),
        pytest.param(
            HEAD + "  algorithm: {shaping: dynamc}\n",
            "algorithm.shaping must be one of 'none', 'dynamic', 'fixed', got 'dynamc'; "
            "did you mean 'dynamic'?",
            id="typo-in-a-choice",
        ),
        pytest.param(
            HEAD.replace("  data: {source: d}\n", ""),
            "data must be set, got nothing; add it: "
            "Rows of a question, its images and the right answer",
            id="missing-section",
        ),
        pytest.param(
            HEAD + "  learner: {promptsPerUpdate: 100}\n",
            "learner.promptsPerUpdate must divide rollout.promptsPerStep (384), got 100; "
            "every update of a step must see the same number of groups",
            id="fields-that-disagree",
        ),
        pytest.param(
            HEAD.replace("v1alpha1", "v1"),
            "apiVersion must be 'vppo.io/v1alpha1', got 'vppo.io/v1'; "
            "write apiVersion: vppo.io/v1alpha1",
            id="another-version",
        ),
        pytest.param(
            HEAD.replace("VPPOJob", "Job"),
            "kind must be 'VPPOJob', got 'Job'; write kind: VPPOJob",
            id="another-kind",
        ),
        pytest.param(
            HEAD + "  reward: {grader: maths}\n",
            "reward.grader must be 'math', 'math_verify', 'exact_match' or "
            "'package.module:function', got 'maths'; did you mean 'math'?",
            id="unknown-grader",
        ),
        pytest.param(
            HEAD + "  rollout:\n",
            "rollout must hold fields, got nothing; indent its fields below it, or delete the line",
            id="empty-section",
        ),
        pytest.param(
            HEAD + "  learner: {numSteps: 8.0}\n",
            "learner.numSteps must be a whole number, got 8.0; write 8",
            id="fraction-where-a-count-belongs",
        ),
        pytest.param(
            HEAD + "  rollout: {enforceEager: 'yes'}\n",
            "rollout.enforceEager must be true or false, got 'yes'; "
            "write true or false without quotes (the default is false)",
            id="text-where-a-switch-belongs",
        ),
        pytest.param(
            HEAD.replace("source: m", "source: m, revision: 1234567"),
            "model.revision must be text, got 1234567; put it in quotes: '1234567'",
            id="number-where-text-belongs",
        ),
        pytest.param(
            HEAD + "  algorithm: {clipRatioLow: .nan}\n",
            "algorithm.clipRatioLow must be a finite number, got nan; "
            "write one (the default is 0.2)",
            id="not-a-number",
        ),
        pytest.param(
            HEAD.replace("source: m", "source: ''"),
            "model.source must not be empty, got ''; write a value: "
            "Hugging Face id, local folder, or `demo://NAME` for a tiny model made on first use",
            id="empty-text",
        ),
        pytest.param(
            HEAD.replace("name: a", "name: My_Job"),
            "metadata.name must be at most 40 lower-case letters, digits and `-`, a letter first "
            "(a DNS-1035 label), got 'My_Job'; "
            "write it to match ^([a-z]([-a-z0-9]*[a-z0-9])?)?$",
            id="name-that-no-cluster-takes",
        ),
        pytest.param(
            HEAD + "  rollout: {learningRate: 0.1}\n",
            "rollout.learningRate is not a field of a job, got 0.1; "
            "did you mean 'learner.learningRate'?",
            id="field-of-another-section",
        ),
        pytest.param(
            HEAD + "algorithm: {}\n",
            "algorithm is not a field of a job, got a mapping; move it under spec",
            id="section-outside-spec",
        ),
    ],
)
def test_a_broken_spec_gets_one_helpful_sentence(text: str, sentence: str) -> None:
    assert problems(text) == [sentence]


@pytest.mark.parametrize(
    ("text", "beginning"),
    [
        pytest.param("", "a job file must hold one VPPOJob, got an empty file", id="empty"),
        pytest.param("# only a comment\n", "a job file must hold one VPPOJob", id="comments"),
        pytest.param("- 1\n", "a job file must be a mapping with apiVersion", id="list"),
        pytest.param("seed", "a job file must be a mapping with apiVersion", id="word"),
        pytest.param(
            HEAD + "---\na: 1\n",
            "a job file must hold one VPPOJob, got a second document at line 7",
            id="two-documents",
        ),
        pytest.param(
            HEAD + "  seed: 1\n  seed: 2\n",
            "seed must be given once, got it twice (again at line 8)",
            id="repeated-key",
        ),
        pytest.param('{"a": 1, "a": 2}', "a must be given once, got it twice", id="json-repeated"),
        pytest.param("a: [\n", "a job file must be valid YAML or JSON, got a problem at", id="cut"),
        pytest.param("\ta: 1\n", "a job file must be valid YAML or JSON, got a problem", id="tab"),
        pytest.param("a: \x00", "a job file must be YAML or JSON, got neither", id="binary"),
        pytest.param(
            "a: &x 1\nb: *x\n", "a job file must not use YAML aliases, got *x at line 2", id="alias"
        ),
        pytest.param("1: 2\n", "a field name must be text, got 1 at line 1", id="number-as-name"),
        pytest.param("[" * 5000, "a job file must not nest hundreds of levels", id="deep"),
        pytest.param('{"a":' * 5000, "a job file must not nest hundreds of levels", id="deep-json"),
        pytest.param(
            "a" * (MAX_BYTES + 1), f"a job file must have at most {MAX_BYTES} bytes", id="oversize"
        ),
    ],
)
def test_a_file_that_is_no_job_is_refused(text: str, beginning: str) -> None:
    (line,) = problems(text)
    assert line.startswith(beginning)
    assert "; " in line


def test_all_problems_are_told_at_once() -> None:
    text = HEAD + "  rollout: {groupSize: 1, topP: 2}\n  learner: {numSteps: 0}\n"
    assert [line.split(" ")[0] for line in problems(text)] == [
        "rollout.groupSize",
        "rollout.topP",
        "learner.numSteps",
    ]


def test_rules_across_sections_are_told_at_once() -> None:
    text = HEAD + "  algorithm: {dualClip: 0.5}\n  dependency: {enabled: false}\n"
    assert [line.split(" ")[0] for line in problems(text)] == [
        "dependency.enabled",
        "algorithm.dualClip",
    ]


def test_names_of_python_are_not_names_of_a_file() -> None:
    (line,) = problems(HEAD + "  rollout: {group_size: 8}\n")
    assert line.endswith("did you mean 'groupSize'?")


def test_long_values_are_cut_in_sentences() -> None:
    (line,) = problems(HEAD + f"  seed: {'x' * 5000}\n")
    assert len(line) < 200


def test_tags_that_make_other_things_than_json_are_refused() -> None:
    assert "YAML tags" in problems(HEAD + "  seed: !!binary aGVsbG8=\n")[0]
    assert "YAML" in problems(HEAD + "  seed: !!python/object/apply:os.getcwd []\n")[0]


def test_a_date_stays_text() -> None:
    job = load_job(HEAD.replace("source: m", "source: m, revision: 2024-01-01"))
    assert job.spec.model.revision == "2024-01-01"


def test_resolved_text_is_json_and_loads_to_the_same_job() -> None:
    job = load_job(HEAD)
    assert json.loads(job_text(job))["spec"]["learner"]["learningRate"] == 0.000001
    assert load_job(job_text(job)) == job
