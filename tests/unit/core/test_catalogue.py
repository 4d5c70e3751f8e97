import re

import pytest

from vppo_core.catalogue import (
    EVERY,
    METRICS,
    STAGES,
    Kind,
    Page,
    labelled,
    metric,
    mlflow_name,
    parse,
)

ENGINE = {"driver", "rollout", "reward", "dependency", "learner", "data", "evaluation"}
ROOMS = ENGINE | {"observability", "transport", "jobs", "operator", "api"}


def test_every_metric_has_its_own_names() -> None:
    assert len({entry.name for entry in EVERY.values()}) == len(EVERY)
    assert len({entry.mlflow_key for entry in METRICS.values()}) == len(METRICS)
    for key, entry in EVERY.items():
        assert key == entry.key
        assert (key in METRICS) is bool(entry.mlflow_key)


def test_what_rays_agent_exports_is_found_under_another_name() -> None:
    entry = EVERY["replica_calls"]
    assert (entry.page, entry.series) == (Page.ROLES, "ray_vppo_replica_calls_total")
    assert EVERY["reward_mean"].series == "vppo_reward_mean"


@pytest.mark.parametrize("entry", EVERY.values(), ids=lambda entry: entry.key)
def test_names_follow_the_conventions_of_prometheus_and_mlflow(entry) -> None:
    assert re.fullmatch(r"vppo_[a-z0-9_]+", entry.name)
    assert re.fullmatch(r"[a-z]+/[a-z0-9_]+|", entry.mlflow_key)
    assert entry.name.endswith("_total") is (entry.kind is Kind.COUNTER)
    if entry.unit in ("seconds", "bytes", "nats"):
        assert entry.unit in entry.name.split("_")
    assert bool(entry.buckets) is (entry.kind is Kind.HISTOGRAM)
    assert list(entry.buckets) == sorted(entry.buckets)


@pytest.mark.parametrize("entry", EVERY.values(), ids=lambda entry: entry.key)
def test_every_metric_is_explained_and_owned(entry) -> None:
    assert entry.help.endswith(".")
    assert entry.unit
    assert entry.owner in ROOMS


def test_an_unknown_key_is_named_with_its_nearest_neighbour() -> None:
    with pytest.raises(LookupError, match=r"'reward_meen'; did you mean 'reward_mean'"):
        metric("reward_meen")


def test_no_key_collides_with_the_other_fields_of_a_metrics_line() -> None:
    assert "time" not in METRICS


def test_a_label_stands_in_braces() -> None:
    reference = labelled("stage_seconds", "sample")
    assert reference == "stage_seconds{sample}"
    entry, values = parse(reference)
    assert entry is METRICS["stage_seconds"]
    assert values == ("sample",)
    assert mlflow_name(reference) == "time/stage_seconds/sample"
    assert mlflow_name("reward_mean") == "reward/mean"


@pytest.mark.parametrize(
    "reference",
    [
        pytest.param("stage_seconds", id="label-missing"),
        pytest.param("reward_mean{x}", id="label-unknown"),
        pytest.param("stage_seconds{a,b}", id="one-label-too-many"),
        pytest.param("stage_seconds{}", id="empty-braces"),
        pytest.param("Reward Mean", id="not-a-key"),
    ],
)
def test_a_reference_without_one_value_for_each_label_is_refused(reference: str) -> None:
    with pytest.raises(LookupError, match=re.escape(reference)):
        parse(reference)


def test_stages_are_values_of_the_stage_label() -> None:
    read = [parse(labelled("stage_seconds", stage)) for stage in STAGES]
    assert [values for _, values in read] == [(stage,) for stage in STAGES]
