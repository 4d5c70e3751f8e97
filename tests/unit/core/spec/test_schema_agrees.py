"""The printed JSON schema and the model take and refuse the same jobs.

A schema cannot say rules between fields; those are listed, and nothing else may differ.
"""

import json
import math
import random
from collections.abc import Callable
from typing import Any

import pytest
from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from jsonschema import Draft202012Validator

from vppo_core.errors import InvalidSpecError
from vppo_core.spec.fields import Leaf, bounds_of, choices_of, leaves
from vppo_core.spec.loading import job_from_document
from vppo_core.spec.schema import job_schema

COUNT = 10_000
CHUNKS = 10

BEYOND_SCHEMA = {
    "learner.promptsPerUpdate": "divides rollout.promptsPerStep",
    "rollout.tensorParallelSize": "equals placement.rollout.gpus",
    "dependency.enabled": "is needed by shaping and token filtering",
    "dependency.fill": "is black on the reference grid",
    "algorithm.shapingScope": "goes with some kinds of shaping",
    "algorithm.dualClip": "is 0 or above 1",
    "algorithm.filterLow": "is below algorithm.filterHigh",
    "model.minPixels": "does not exceed model.maxPixels",
    "reward.grader": "is a name or module:function",
}
"""First word of each sentence that only the model can say, and what it is about."""

LEAVES = list(leaves())
VALIDATOR = Draft202012Validator(job_schema())
Document = dict[str, Any]


def document(rng: random.Random) -> Document:
    """A job whose fields keep their own bounds, at them as often as not."""
    spec: Document = {"model": {"source": "m"}, "data": {"source": "d"}}
    for leaf in rng.sample(LEAVES, rng.randrange(12)):
        put(spec, leaf.path, good_value(leaf, rng))
    labels = {f"k{n}": rng.choice(["", "v", "é" * 9]) for n in range(rng.randrange(4))}
    metadata = {"name": rng.choice(["", "a", "a-1", "a" * 40]), "labels": labels}
    whole: Document = {"apiVersion": "vppo.io/v1alpha1", "kind": "VPPOJob", "spec": spec}
    return whole | ({"metadata": metadata} if rng.random() < 0.8 else {})


def put(place: Document, path: tuple[str, ...], value: Any) -> None:
    for name in path[:-1]:
        below = place.get(name)
        if not isinstance(below, dict):
            below = place[name] = {}
        place = below
    place[path[-1]] = value


def limits_of(leaf: Leaf) -> tuple[float, float]:
    """The least and the greatest value that the field takes."""
    low, high = -math.inf, math.inf
    is_whole = leaf.info.annotation is not float
    for bound in bounds_of(leaf.info):
        match bound:
            case Ge(ge=limit):
                low = limit
            case Gt(gt=limit):
                low = limit + 1 if is_whole else math.nextafter(limit, math.inf)
            case Le(le=limit):
                high = limit
            case Lt(lt=limit):
                high = limit - 1 if is_whole else math.nextafter(limit, -math.inf)
    return low, high


def lengths_of(leaf: Leaf) -> tuple[int, int]:
    low, high = 0, 400
    for bound in leaf.info.metadata:
        match bound:
            case MinLen(min_length=size):
                low = size
            case MaxLen(max_length=size):
                high = size
    return low, high


def good_value(leaf: Leaf, rng: random.Random) -> Any:
    kind = leaf.info.annotation
    if choices_of(leaf.info):
        return rng.choice(choices_of(leaf.info))
    if kind is bool:
        return rng.random() < 0.5
    if kind is str:
        low, high = lengths_of(leaf)
        return rng.choice("aé𝄞\x00") * rng.choice([low, min(low + 3, high), high])
    if not leaf.info.is_required() and leaf.info.default is None and rng.random() < 0.3:
        return None
    low, high = limits_of(leaf)
    if kind is float:
        return rng.choice([low, high, rng.uniform(low, high), int(high)])
    return rng.choice([int(low), int(high), rng.randint(int(low), int(high))])


def out_of_bounds(leaf: Leaf, rng: random.Random) -> Any:
    kind = leaf.info.annotation
    if choices_of(leaf.info):
        return rng.choice(["", "none ", "Dynamic", choices_of(leaf.info)[0].upper()])
    if kind is bool:
        return rng.choice([0, 1, "true", "yes"])
    if kind is str:
        low, high = lengths_of(leaf)
        return "x" * (low - 1 if low and rng.random() < 0.5 else high + 1)
    low, high = limits_of(leaf)
    if kind is float:
        return rng.choice([math.nextafter(low, -math.inf), math.nextafter(high, math.inf), 1e308])
    return rng.choice([int(low) - 1, int(high) + 1, 2**70, -(2**70)])


OTHER_TYPES = ["1", "1e-6", 0.5, True, None, [], {}, [1], {"a": 1}, "", -1]


def another_type(whole: Document, rng: random.Random) -> None:
    put(whole["spec"], rng.choice(LEAVES).path, rng.choice(OTHER_TYPES))


def beyond_bounds(whole: Document, rng: random.Random) -> None:
    leaf = rng.choice(LEAVES)
    put(whole["spec"], leaf.path, out_of_bounds(leaf, rng))


def unknown_field(whole: Document, rng: random.Random) -> None:
    path = rng.choice(LEAVES).path
    name = rng.choice(["x", "", path[-1] + "s", path[-1].lower() + "_", "$ref"])
    put(rng.choice([whole, whole["spec"]]), (*path[:-1], name), rng.choice(OTHER_TYPES))


def missing_field(whole: Document, rng: random.Random) -> None:
    place, name = rng.choice(
        [
            (whole, "spec"),
            (whole["spec"], "model"),
            (whole["spec"], "data"),
            (whole["spec"]["model"], "source"),
            (whole["spec"]["data"], "source"),
        ]
    )
    del place[name]


def no_section(whole: Document, rng: random.Random) -> None:
    name = rng.choice(["spec", "metadata", *whole["spec"], "rollout", "placement"])
    place = whole if name in ("spec", "metadata") else whole["spec"]
    place[name] = rng.choice(OTHER_TYPES)


def wrong_identity(whole: Document, rng: random.Random) -> None:
    name, values = rng.choice(
        [
            ("apiVersion", ["vppo.io/v1", "", None, 1]),
            ("kind", ["Job", "vppojob", None, ["VPPOJob"]]),
            (
                "metadata",
                [
                    {"name": "A"},
                    {"name": "a-"},
                    {"name": "1a"},
                    {"name": "a" * 41},
                    {"name": 5},
                    {"namespace": "a_b"},
                    {"namespace": "a" * 64},
                    {"labels": {"a": 1}},
                    {"labels": {"a": None}},
                    {"labels": ["a"]},
                    {"labels": {str(n): "" for n in range(65)}},
                    {"annotations": {str(n): "" for n in range(64)}},
                    {"uid": "x"},
                ],
            ),
        ]
    )
    whole[name] = rng.choice(values)


MUTATIONS: list[Callable[[Document, random.Random], None]] = [
    another_type,
    beyond_bounds,
    unknown_field,
    missing_field,
    no_section,
    wrong_identity,
]


def example(number: int) -> Document:
    """Every second one is changed so that it is most likely wrong."""
    rng = random.Random(number)
    whole = document(rng)
    if number % 2:
        rng.choice(MUTATIONS)(whole, rng)
    return whole


def sentences(whole: Document) -> list[str]:
    try:
        job_from_document(whole)
    except InvalidSpecError as error:
        return str(error).split("\n")
    return []


def differences(whole: Document) -> list[str]:
    """Sentences that the model says and the schema should; or that the schema says alone."""
    found = sentences(whole)
    error = next(VALIDATOR.iter_errors(whole), None)
    if error is None:
        return [line for line in found if line.split(" ")[0] not in BEYOND_SCHEMA]
    return [] if found else [f"the schema alone: {error.json_path} {error.message[:200]}"]


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_the_schema_and_the_model_agree_on_generated_jobs(chunk: int) -> None:
    for number in range(chunk, COUNT, CHUNKS):
        whole = example(number)
        found = differences(whole)
        assert not found, f"example({number}): {found}\n{json.dumps(whole)[:2000]}"


def test_the_generated_jobs_are_right_and_wrong_in_many_ways() -> None:
    right = wrong = 0
    said = set()
    for number in range(0, 2000):
        found = sentences(example(number))
        right, wrong = right + (not found), wrong + bool(found)
        said |= {line.split(" ")[0] for line in found}
    assert right > 300
    assert wrong > 600
    assert len(said) > 100
    assert said >= {"learner.promptsPerUpdate", "rollout.tensorParallelSize", "metadata.name"}


def test_a_difference_would_be_seen() -> None:
    whole = example(0)
    whole["spec"]["seed"] = -1
    assert not differences(whole)
    loose = Draft202012Validator({})
    assert next(loose.iter_errors(whole), None) is None
    assert sentences(whole)


def test_a_count_written_with_a_fraction_is_the_one_value_that_differs() -> None:
    """To JSON schema 8.0 is an integer; a job file is asked to say 8."""
    whole = example(0)
    whole["spec"]["seed"] = 8.0
    assert VALIDATOR.is_valid(whole)
    assert sentences(whole) == ["seed must be a whole number, got 8.0; write 8"]
