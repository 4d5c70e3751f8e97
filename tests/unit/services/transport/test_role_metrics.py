"""A role's process tells true numbers, and nothing that fails in the telling reaches it."""

import threading
from typing import Any

import pytest
import ray

from vppo_core.catalogue import EVERY, Kind, Metric, Page
from vppo_services.transport.busy import BusyClock
from vppo_services.transport.node import metrics_urls
from vppo_services.transport.role_metrics import RoleMetrics

ROLES = ("rollout", "reward", "dependency", "learner")


class Agent:
    """What an agent would show."""

    def __init__(self) -> None:
        self.values: dict[str, float] = {}
        self.tags: set[tuple[tuple[str, str], ...]] = set()

    def __call__(self, entry: Metric, tags: dict[str, str]) -> Any:
        self.tags.add(tuple(tags.items()))
        return _Series(self, entry)


class _Series:
    def __init__(self, page: Agent, entry: Metric) -> None:
        self._page, self._entry = page, entry

    def record(self, value: float) -> None:
        before = self._page.values.get(self._entry.key, 0.0)
        is_counter = self._entry.kind is Kind.COUNTER
        assert value >= 0.0
        self._page.values[self._entry.key] = before + value if is_counter else value


class FakeTime:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def metrics_of(role: str, page: Agent, time: FakeTime | None = None) -> RoleMetrics:
    busy = BusyClock(time) if time else None
    return RoleMetrics(role, 3, instrument=page, busy=busy)


def test_every_series_of_a_role_is_there_from_the_start_and_counters_are_0() -> None:
    seen: set[str] = set()
    for role in ROLES:
        page = Agent()
        metrics = metrics_of(role, page)
        metrics.has_version(0)
        metrics.flush()
        assert page.tags == {(("role", role), ("replica", "3"))}
        assert {v for k, v in page.values.items() if EVERY[k].kind is Kind.COUNTER} == {0.0}
        seen |= set(page.values)
    expected = {key for key, entry in EVERY.items() if entry.page is Page.ROLES}
    assert expected - seen == {"replica_gpu_memory_bytes"}, "only a GPU has memory of a GPU"


def test_calls_and_their_time_are_counted() -> None:
    page, time = Agent(), FakeTime()
    metrics = metrics_of("rollout", page, time)
    for _ in range(2):
        with metrics.working():
            time.now += 2.0
        time.now += 5.0
    metrics.flush()
    assert page.values["replica_busy_seconds"] == 4.0
    assert page.values["replica_calls"] == 2.0
    assert metrics.take_spans() == [(100.0, 102.0), (107.0, 109.0)]
    assert metrics.take_spans() == []
    assert page.values["replica_memory_bytes"] > 1e6


def test_a_long_call_tells_on_its_way() -> None:
    page, time = Agent(), FakeTime()
    metrics = metrics_of("rollout", page, time)
    with metrics.working():
        time.now += 2.0
        metrics.progress(replica_samples_generated=8, replica_tokens_generated=100)
        metrics.flush()
        assert page.values["replica_busy_seconds"] == 2.0
        assert page.values["replica_tokens_generated"] == 100.0
        time.now += 1.0
    metrics.flush()
    assert page.values["replica_busy_seconds"] == 3.0
    assert metrics.take_spans() == [(100.0, 103.0)], "one span, however often it was looked at"


def test_seconds_of_calls_side_by_side_count_once() -> None:
    page, time = Agent(), FakeTime()
    metrics = metrics_of("reward", page, time)
    first, second = metrics.working(), metrics.working()
    with first:
        time.now += 1.0
        with second:
            time.now += 1.0
        time.now += 1.0
    metrics.flush()
    assert page.values["replica_busy_seconds"] == 3.0
    assert page.values["replica_calls"] == 2.0
    assert metrics.take_spans() == [(100.0, 103.0)]


def test_many_threads_lose_no_call_and_no_second() -> None:
    page = Agent()
    metrics = metrics_of("reward", page)

    def call() -> None:
        for _ in range(200):
            with metrics.working():
                pass

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    total = sum(end - start for start, end in metrics.take_spans())
    assert page.values["replica_busy_seconds"] == pytest.approx(total)
    assert page.values["replica_calls"] == 1600.0


def test_a_call_that_fails_is_counted_all_the_same() -> None:
    page, time = Agent(), FakeTime()
    metrics = metrics_of("dependency", page, time)

    def fails() -> None:
        with metrics.working():
            time.now += 2.0
            raise RuntimeError("planted")

    with pytest.raises(RuntimeError, match="planted"):
        fails()
    metrics.flush()
    assert page.values["replica_busy_seconds"] == 2.0


def test_a_transfer_of_weights_is_no_computing() -> None:
    page = Agent()
    metrics = metrics_of("learner", page)
    with metrics.syncing():
        pass
    metrics.has_version(7)
    metrics.flush()
    assert page.values["replica_weight_syncs"] == 1.0
    assert page.values["replica_weight_sync_seconds"] > 0.0
    assert page.values["replica_policy_version"] == 7.0
    assert page.values["replica_busy_seconds"] == 0.0


def test_an_instrument_that_cannot_be_made_or_breaks_is_said_once_and_nothing_fails(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Broken:
        def record(self, _: float) -> None:
            raise OSError("no agent")

    def make(entry: Metric, _: dict[str, str]) -> Any:
        if entry.key == "replica_policy_version":
            raise ValueError("no such kind")
        return Broken()

    metrics = RoleMetrics("learner", 0, instrument=make)
    for _ in range(3):
        with metrics.working():
            metrics.add("replica_tokens_trained", 5)
        metrics.has_version(1)
        metrics.flush()
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == len(set(lines)) > 1
    assert "vppo_replica_policy_version is not measured: no such kind" in lines


def test_a_series_of_another_role_is_refused() -> None:
    with pytest.raises(KeyError, match="replica_tokens_trained"):
        metrics_of("rollout", Agent()).add("replica_tokens_trained", 1.0)


def test_rays_own_instruments_do_no_harm_where_there_is_no_ray() -> None:
    metrics = RoleMetrics("rollout", 0)
    with metrics.working():
        metrics.progress(replica_tokens_generated=3)


def test_the_pages_of_rays_agents_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = [
        {"Alive": True, "NodeManagerAddress": "10.0.0.1", "MetricsExportPort": 8080},
        {"Alive": False, "NodeManagerAddress": "10.0.0.2", "MetricsExportPort": 8080},
        {"Alive": True, "NodeManagerAddress": "10.0.0.3", "MetricsExportPort": 0},
    ]
    monkeypatch.setattr(ray, "nodes", lambda: nodes)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert metrics_urls() == ["http://127.0.0.1:8080/metrics"]
    monkeypatch.setenv("RAY_ADDRESS", "auto")
    assert metrics_urls() == ["http://10.0.0.1:8080/metrics"]
