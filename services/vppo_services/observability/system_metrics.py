"""Readings of this machine in the background: CPU, memory, network, disk, GPUs if there are any.

They are MLflow's own, under its names, so that its page shows them; they go through the spool.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

log = logging.getLogger(__name__)

INTERVAL_SECONDS: Final = 10.0
_FIRST_SECONDS: Final = 1.0
_LAST_SECONDS: Final = 1.0


class Monitor(Protocol):
    """One of `mlflow.system_metrics`."""

    def collect_metrics(self) -> None: ...  # noqa: D102
    def aggregate_metrics(self) -> dict[str, float]: ...  # noqa: D102
    def clear_metrics(self) -> None: ...  # noqa: D102


def monitors() -> list[Monitor]:
    """Those that work here. Importing them takes seconds."""
    from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor
    from mlflow.system_metrics.metrics.disk_monitor import DiskMonitor
    from mlflow.system_metrics.metrics.gpu_monitor import GPUMonitor
    from mlflow.system_metrics.metrics.network_monitor import NetworkMonitor

    found: list[Monitor] = [CPUMonitor(), NetworkMonitor(), DiskMonitor()]
    try:
        found.append(GPUMonitor())
    except (ImportError, RuntimeError) as error:
        log.debug("no readings of GPUs: %s", error)
    return found


class SystemMetrics:
    """A thread that reads the monitors at intervals."""

    def __init__(
        self,
        report: Callable[..., Any],
        *,
        interval_seconds: float = INTERVAL_SECONDS,
        first_seconds: float = _FIRST_SECONDS,
        monitors: Callable[[], list[Monitor]] = monitors,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Nothing is read before `start`.

        Args:
            report: called as `report(values, time_seconds=...)`.
            first_seconds: until the monitors are made; a run that is over by then has no readings.
            clock: seconds since the epoch.
        """
        self._report = report
        self._interval, self._first = interval_seconds, first_seconds
        self._make = monitors
        self._clock = clock
        self._monitors: list[Monitor] | None = None
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="system-metrics", daemon=True)

    def start(self) -> None:
        """Begin; the first reading comes after an interval, or at the end."""
        self._thread.start()

    def close(self) -> None:
        """Read once more and stop; a reading that hangs is left behind."""
        self._closed.set()
        if self._thread.is_alive():
            self._thread.join(_LAST_SECONDS)

    def read(self) -> None:
        """Read all monitors once and report; one that fails is left out from then on."""
        values = self._read()
        if values:
            self._report(values, time_seconds=self._clock())

    def _read(self) -> dict[str, float]:
        if self._monitors is None:
            self._monitors = self._make()
        values: dict[str, float] = {}
        for monitor in list(self._monitors):
            try:
                monitor.collect_metrics()
                values.update(_numbers(monitor.aggregate_metrics()))
                monitor.clear_metrics()
            except Exception as error:  # of a driver or of /proc; training goes on without it
                log.warning("%s is read no more: %s", type(monitor).__name__, error)
                self._monitors.remove(monitor)
        return values

    def _run(self) -> None:
        if self._closed.wait(self._first):
            return
        try:
            self._monitors = self._make()
        except Exception as error:  # MLflow cannot be imported, or the like
            log.warning("there are no readings of the machine: %s", error)
            return
        self._read()  # the load of a CPU is that since it was asked last
        is_over = False
        while not is_over:
            is_over = self._closed.wait(self._interval)
            self.read()


def _numbers(values: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in values.items() if isinstance(value, int | float)}
