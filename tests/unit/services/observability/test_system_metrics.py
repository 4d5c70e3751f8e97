import threading

import pytest

from vppo_services.observability.system_metrics import Monitor, SystemMetrics


class FakeMonitor:
    def __init__(self, name: str, *, fails: bool = False) -> None:
        self.name, self.fails, self.reads = name, fails, 0

    def collect_metrics(self) -> None:
        self.reads += 1
        if self.fails:
            raise RuntimeError("the driver is gone")

    def aggregate_metrics(self) -> dict[str, float]:
        return {self.name: float(self.reads)}

    def clear_metrics(self) -> None:
        pass


class Reported:
    def __init__(self) -> None:
        self.values: list[dict[str, float]] = []
        self.came = threading.Event()

    def __call__(self, values: dict[str, float], *, time_seconds: float) -> None:
        assert time_seconds == 7.0
        self.values.append(values)
        self.came.set()


def metrics_of(reported: Reported, *monitors: Monitor, interval: float = 10.0) -> SystemMetrics:
    return SystemMetrics(
        reported,
        interval_seconds=interval,
        first_seconds=0.0,
        monitors=lambda: list(monitors),
        clock=lambda: 7.0,
    )


def test_a_reading_has_the_values_of_all_monitors() -> None:
    reported = Reported()
    system = metrics_of(reported, FakeMonitor("cpu"), FakeMonitor("network"))
    system.read()
    system.read()
    assert reported.values == [{"cpu": 1.0, "network": 1.0}, {"cpu": 2.0, "network": 2.0}]


def test_a_monitor_that_fails_is_said_once_and_left_out(caplog: pytest.LogCaptureFixture) -> None:
    reported, broken = Reported(), FakeMonitor("gpu", fails=True)
    system = metrics_of(reported, broken, FakeMonitor("cpu"))
    for _ in range(3):
        system.read()
    assert [set(values) for values in reported.values] == [{"cpu"}] * 3
    assert broken.reads == len(caplog.records) == 1


def test_they_are_read_in_the_background_until_they_are_closed() -> None:
    reported = Reported()
    system = metrics_of(reported, FakeMonitor("cpu"), interval=0.001)
    system.start()
    assert reported.came.wait(10.0)
    system.close()
    system._thread.join(10.0)
    assert not system._thread.is_alive()


def test_a_machine_without_monitors_ends_the_readings_and_nothing_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def none() -> list[Monitor]:
        raise ImportError("no psutil")

    system = SystemMetrics(Reported(), interval_seconds=0.001, first_seconds=0.0, monitors=none)
    system.start()
    system._thread.join(10.0)
    assert "no psutil" in caplog.text


def test_the_monitors_of_this_machine_have_cpu_memory_network_and_disk() -> None:
    got: dict[str, float] = {}
    system = SystemMetrics(lambda values, **_: got.update(values))
    system.read()
    assert {
        "cpu_utilization_percentage",
        "system_memory_usage_megabytes",
        "network_receive_megabytes",
        "disk_usage_percentage",
    } <= set(got)


def test_the_end_of_a_short_run_has_a_reading_too() -> None:
    reported, monitor = Reported(), FakeMonitor("cpu")
    system = metrics_of(reported, monitor, interval=3600.0)
    system.start()
    while not monitor.reads:  # the first is not reported: it has nothing to compare with
        pass
    system.close()
    assert reported.values == [{"cpu": 2.0}]


def test_a_run_that_is_over_at_once_makes_no_monitors() -> None:
    def never() -> list[Monitor]:
        raise AssertionError

    system = SystemMetrics(Reported(), monitors=never)
    system.start()
    system.close()
    assert not system._thread.is_alive()
