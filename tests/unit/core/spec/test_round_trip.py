"""Any valid job survives being written down, as JSON and as YAML."""

from typing import Any

import yaml
from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from hypothesis import given, settings
from hypothesis import strategies as st

from vppo_core.spec.fields import Leaf, bounds_of, choices_of, leaves
from vppo_core.spec.hashing import spec_hash
from vppo_core.spec.job import VPPOJob
from vppo_core.spec.loading import job_from_document, job_text, load_job

# Fields that a rule ties to another one keep their default here.
TIED = {
    "reward.grader",
    "rollout.promptsPerStep",
    "learner.promptsPerUpdate",
    "rollout.tensorParallelSize",
    "placement.rollout.gpus",
    "dependency.enabled",
    "dependency.grid",
    "algorithm.shapingScope",
    "algorithm.dualClip",
    "algorithm.filterLow",
    "algorithm.filterHigh",
    "model.minPixels",
    "model.maxPixels",
}
FREE = [leaf for leaf in leaves() if ".".join(leaf.path) not in TIED]
TEXT = st.characters(exclude_categories=["Cs"])


def values(leaf: Leaf) -> st.SearchStrategy[Any]:
    if choices_of(leaf.info):
        return st.sampled_from(choices_of(leaf.info))
    if leaf.info.annotation is bool:
        return st.booleans()
    limits = limits_of(leaf)
    if pattern := pattern_of(leaf):
        return st.from_regex(pattern, fullmatch=True).filter(lambda t: len(t) <= limits["max_size"])
    if not leaf.info.is_required() and leaf.info.default is None:
        return st.none() | st.integers(**limits)
    if leaf.info.annotation is int:
        return st.integers(**limits)
    return st.floats(**limits) if leaf.info.annotation is float else st.text(TEXT, **limits)


def pattern_of(leaf: Leaf) -> str | None:
    """The pattern of a text field."""
    found = (getattr(bound, "pattern", None) for bound in leaf.info.metadata)
    return next((pattern for pattern in found if pattern), None)


def limits_of(leaf: Leaf) -> dict[str, Any]:
    limits: dict[str, Any] = {}
    for bound in bounds_of(leaf.info):
        match bound:
            case Ge(ge=limit):
                limits["min_value"] = limit
            case Le(le=limit):
                limits["max_value"] = limit
            case Gt(gt=limit):
                limits |= {"min_value": limit, "exclude_min": True}
            case Lt(lt=limit):
                limits |= {"max_value": limit, "exclude_max": True}
            case MinLen(min_length=size):
                limits["min_size"] = size
            case MaxLen(max_length=size):
                limits["max_size"] = min(size, 30)
    return limits


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    spec: dict[str, Any] = {"model": {"source": "m"}, "data": {"source": "d"}}
    for leaf in draw(st.lists(st.sampled_from(FREE), max_size=12, unique_by=lambda one: one.path)):
        place = spec
        for name in leaf.path[:-1]:
            place = place.setdefault(name, {})
        place[leaf.path[-1]] = draw(values(leaf))
    name = draw(st.from_regex(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?", fullmatch=True))
    labels = draw(st.dictionaries(st.text(TEXT, max_size=9), st.text(TEXT, max_size=9), max_size=3))
    metadata = {"name": name, "labels": labels}
    return {
        "apiVersion": "vppo.io/v1alpha1",
        "kind": "VPPOJob",
        "metadata": metadata,
        "spec": spec,
    }


@settings(max_examples=60, deadline=None)
@given(document=documents())
def test_a_job_survives_json_and_yaml(document: dict[str, Any]) -> None:
    job = job_from_document(document)
    assert load_job(job_text(job)) == job
    resolved = job.model_dump(mode="json", by_alias=True)
    assert load_job(yaml.safe_dump(resolved)) == job
    assert load_job(yaml.safe_dump(document)) == job


@settings(max_examples=30, deadline=None)
@given(document=documents())
def test_the_hash_survives_the_trip(document: dict[str, Any]) -> None:
    job = job_from_document(document)
    again = VPPOJob.model_validate_json(job_text(job))
    assert spec_hash(again.spec) == spec_hash(job.spec)
