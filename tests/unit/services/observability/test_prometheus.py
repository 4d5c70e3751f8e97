import math
import socket
import threading
import time
from collections.abc import Iterator
from urllib.request import urlopen

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.utils import floatToGoString

from vppo_core.catalogue import EVERY, METRICS
from vppo_services.observability.prometheus import PrometheusSink


@pytest.fixture
def sink() -> Iterator[PrometheusSink]:
    sink = PrometheusSink()
    yield sink
    sink.close()


def scrape(sink: PrometheusSink) -> dict[str, float]:
    with urlopen(sink.url, timeout=5.0) as answer:
        lines = answer.read().decode().splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in pairs}


def test_values_are_served_under_their_catalogue_names(sink: PrometheusSink) -> None:
    sink.set("reward_mean", 0.5)
    sink.set("stage_seconds{sample}", 2.5)
    sink.inc("reward_verdicts{ok}", 3)
    sink.inc("reward_verdicts{ok}", 2)
    sink.observe("step_seconds", 4.0)
    series = scrape(sink)
    assert series["vppo_reward_mean"] == 0.5
    assert series['vppo_stage_seconds{stage="sample"}'] == 2.5
    assert series['vppo_reward_verdicts_total{verdict="ok"}'] == 5.0
    assert series["vppo_step_seconds_sum"] == 4.0
    assert series['vppo_step_seconds_bucket{le="3.0"}'] == 0.0
    assert series['vppo_step_seconds_bucket{le="10.0"}'] == 1.0


def test_counters_start_at_zero_and_gauges_are_absent_until_measured(sink: PrometheusSink) -> None:
    series = scrape(sink)
    assert series["vppo_skipped_updates_total"] == 0.0
    assert "vppo_reward_mean" not in series


def test_a_scrape_may_ask_for_single_names(sink: PrometheusSink) -> None:
    with urlopen(f"{sink.url}?name[]=vppo_skipped_updates_total", timeout=5.0) as answer:
        lines = answer.read().decode().splitlines()
    assert [line for line in lines if not line.startswith("#")] == [
        "vppo_skipped_updates_total 0.0"
    ]


def test_record_does_what_the_kind_of_every_entry_asks(sink: PrometheusSink) -> None:
    for entry in METRICS.values():
        sink.record(f"{entry.key}{{x}}" if entry.labels else entry.key, 1.0)
    names = {name.partition("{")[0] for name in scrape(sink)}
    for entry in METRICS.values():
        assert {entry.name, f"{entry.name}_count"} & names


def test_a_metric_that_is_not_catalogued_is_refused(sink: PrometheusSink) -> None:
    for method in (sink.set, sink.inc, sink.observe, sink.record):
        with pytest.raises(LookupError, match="my_metric"):
            method("my_metric", 1.0)


def test_a_counter_cannot_be_set(sink: PrometheusSink) -> None:
    with pytest.raises(LookupError, match="skipped_updates is a counter"):
        sink.set("skipped_updates", 1.0)


def test_a_distribution_is_a_true_histogram_of_every_value(sink: PrometheusSink) -> None:
    values = [np.array([1e-5, 0.002, 5.0]), np.array([[20.0, 0.003], [-0.5, 0.0]])]
    assert [sink.observe_all("token_dependency", array) for array in values] == [0, 0]
    series = scrape(sink)
    name = "vppo_token_dependency_nats"
    assert series[f"{name}_count"] == 7.0
    assert series[f"{name}_sum"] == pytest.approx(1e-5 + 0.002 + 5.0 + 20.0 + 0.003 - 0.5)
    # A value that equals a bound belongs below it, as Prometheus has it.
    assert series[f'{name}_bucket{{le="1e-05"}}'] == 3.0
    assert series[f'{name}_bucket{{le="0.003"}}'] == 5.0
    assert series[f'{name}_bucket{{le="10.0"}}'] == 6.0
    assert series[f'{name}_bucket{{le="+Inf"}}'] == 7.0


def test_a_distribution_agrees_with_the_clients_own_histogram(sink: PrometheusSink) -> None:
    values = np.random.default_rng(0).exponential(300.0, 1000).astype(np.float32)
    sink.observe_all("response_tokens", values)
    entry = EVERY["response_tokens"]
    registry = CollectorRegistry()
    other = Histogram(entry.name, entry.help, registry=registry, buckets=entry.buckets)
    for value in values.tolist():
        other.observe(value)
    series = scrape(sink)
    for bound in entry.buckets:
        labels = {"le": floatToGoString(bound)}
        expected = registry.get_sample_value(f"{entry.name}_bucket", labels)
        assert series[f'{entry.name}_bucket{{le="{labels["le"]}"}}'] == expected
    total = registry.get_sample_value(f"{entry.name}_sum")
    assert series[f"{entry.name}_sum"] == pytest.approx(total)


def test_values_that_are_not_finite_are_left_out_of_a_distribution(sink: PrometheusSink) -> None:
    assert sink.observe_all("token_dependency", [math.nan, math.inf, 0.5]) == 2
    assert sink.observe_all("token_dependency", []) == 0
    series = scrape(sink)
    assert series["vppo_token_dependency_nats_count"] == 1.0
    assert series["vppo_token_dependency_nats_sum"] == 0.5


def test_only_distributions_take_arrays(sink: PrometheusSink) -> None:
    with pytest.raises(LookupError, match="one of token_dependency, response_tokens, got 'step"):
        sink.observe_all("step_seconds", [1.0])


def test_a_million_values_take_a_moment(sink: PrometheusSink) -> None:
    values = np.full(1_000_000, 0.5, np.float32)
    started = time.process_time()
    sink.observe_all("token_dependency", values)
    assert time.process_time() - started < 1.0


def test_a_taken_port_is_an_error_of_the_system(sink: PrometheusSink) -> None:
    with pytest.raises(OSError, match=r"in use"):
        PrometheusSink(sink.port)


def test_close_leaves_no_thread_and_frees_the_port() -> None:
    before = threading.active_count()
    sink = PrometheusSink()
    sink.close()
    assert threading.active_count() == before
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((sink.host, sink.port))
