"""Instruments made from the catalogue: their names, their first values, their mistakes."""

import pytest
from prometheus_client import CollectorRegistry

from tests.dashboards.promtool import check_page, needs_promtool
from tests.unit.core.instruments.page_reading import read
from vppo_core.catalogue import EVERY, Kind
from vppo_core.catalogue.control import API, JOBS, OPERATOR
from vppo_core.instruments import Instruments, page_of


def made(*keys: str, **known: list[tuple[str, ...]]) -> tuple[CollectorRegistry, Instruments]:
    registry = CollectorRegistry()
    return registry, Instruments(registry, [EVERY[key] for key in keys], known=known)


def test_counters_begin_at_zero_and_gauges_with_their_first_value() -> None:
    registry, instruments = made("attempts_started", "archive_backlog", "api_request_seconds")
    assert read(registry) == {"vppo_attempts_started_total": 0.0}
    instruments.set("archive_backlog", 3)
    assert read(registry)["vppo_archive_backlog"] == 3.0


def test_a_counter_with_known_labels_begins_with_all_of_them() -> None:
    registry, instruments = made("gpu_seconds", gpu_seconds=[("lost",), ("idle",)])
    instruments.inc("gpu_seconds", "lost", by=2.5)
    expected = {"vppo_gpu_seconds_total lost": 2.5, "vppo_gpu_seconds_total idle": 0.0}
    assert read(registry) == expected


def test_observations_have_the_buckets_of_the_catalogue() -> None:
    registry, instruments = made("queue_wait_seconds")
    instruments.observe("queue_wait_seconds", 61.0)
    found = read(registry)
    assert found["vppo_queue_wait_seconds_bucket 60.0"] == 0
    assert found["vppo_queue_wait_seconds_bucket 300.0"] == 1
    assert found["vppo_queue_wait_seconds_sum"] == 61.0


@pytest.mark.parametrize("key", ["job_step", "archive_backlog", "no_such"])
def test_an_instrument_that_is_not_made_here_is_named(key: str) -> None:
    _, instruments = made("attempts_started", "archive_backlog")
    with pytest.raises(LookupError, match=f"'{key}' must be a counter"):
        instruments.inc(key)


def test_nobody_is_told_when_a_counter_was_made() -> None:
    registry, _ = made("attempts_started", "queue_wait_seconds")
    assert b"_created" not in page_of(registry)


@needs_promtool
@pytest.mark.parametrize("entries", [JOBS, OPERATOR, API], ids=["jobs", "operator", "api"])
def test_promtool_is_content_with_every_entry_of_the_control_plane(entries) -> None:
    registry = CollectorRegistry()
    instruments = Instruments(registry, entries)
    for entry in entries:
        labels = ["x"] * len(entry.labels)
        if entry.kind is Kind.GAUGE:
            instruments.set(entry.key, 1.0, *labels)
        elif entry.kind is Kind.COUNTER:
            instruments.inc(entry.key, *labels)
        else:
            instruments.observe(entry.key, 1.0, *labels)
    page = page_of(registry)
    assert check_page(page) == ""
    assert all(f"# HELP {entry.name} ".encode() in page for entry in entries)


@needs_promtool
def test_promtool_would_find_a_bad_name() -> None:
    assert "_total" in check_page(
        b"# HELP vppo_x_total X.\n# TYPE vppo_x_total gauge\nvppo_x_total 1\n"
    )
