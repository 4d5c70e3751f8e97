"""What a role's process measures of itself, through Ray's metrics agent: the catalogue's `ROLES`.

Ray keeps one series for each process and drops it some time after the process has ended.
"""

import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Protocol

import ray
from ray.util import metrics as ray_metrics

from vppo_core.catalogue import EVERY, Kind, Metric, Page
from vppo_services.transport.busy import BusyClock, Span
from vppo_services.transport.gathered import Gathered, Series

_log = logging.getLogger(__name__)

_OF_ALL_ROLES: Final = "transport"
_STATM: Final = Path("/proc/self/statm")


class Instrument(Protocol):
    """One series, whose labels are set already."""

    def record(self, value: float) -> None:
        """Set a gauge, add to a counter."""


class RoleMetrics:
    """The measurements of one process. Nothing here raises because of an agent, or waits for it.

    Values are added up and given to Ray once a second, and when the driver asks for the spans at
    the end of a step.
    """

    def __init__(
        self,
        role: str,
        replica: int,
        *,
        device: str = "cpu",
        instrument: Callable[[Metric, dict[str, str]], Instrument] | None = None,
        busy: BusyClock | None = None,
    ) -> None:
        """Make the role's series; counters begin at 0.

        Args:
            replica: number of the process within its role; the same after a restart.
            device: `cuda` where torch's memory on the GPU is to be told.
            instrument: makes one series; Ray's unless a test gives another.
        """
        self.busy = busy or BusyClock()
        self._device = device
        self._lock = threading.RLock()
        self._told_seconds = 0.0
        self._gathered = Gathered()
        self._series: dict[str, Series] = {}
        tags = {"role": role, "replica": str(replica)}
        for key, entry in EVERY.items():
            if entry.page is Page.ROLES and entry.owner in (_OF_ALL_ROLES, role):
                told = _guarded(instrument or _OfRay, entry, tags)
                self._series[key] = self._gathered.series(key, told.record)
                if entry.kind is Kind.COUNTER:
                    self._series[key].add(0.0)
        self.flush()

    @contextmanager
    def working(self) -> Iterator[None]:
        """Count a call that computes, and its time; calls may overlap."""
        try:
            with self.busy.working():
                yield
        finally:
            self.progress(replica_calls=1.0)

    @contextmanager
    def syncing(self) -> Iterator[None]:
        """Count a transfer of weights, and its time."""
        clock = BusyClock()
        with clock.working():
            yield
        self.add("replica_weight_sync_seconds", clock.seconds())
        self.add("replica_weight_syncs", 1.0)

    def add(self, key: str, amount: float) -> None:
        """Add to a counter of this role."""
        with self._lock:
            self._series[key].add(float(amount))

    def has_version(self, version: int) -> None:
        """Tell the version of the weights that the process has."""
        with self._lock:
            self._series["replica_policy_version"].set(float(version))

    def progress(self, **amounts: float) -> None:
        """Add to counters; a long call does so on its way, and its time so far is told too."""
        for key, amount in amounts.items():
            self.add(key, amount)
        if self._gathered.is_due:
            self.flush()

    def take_spans(self) -> list[Span]:
        """When the process computed since this was last asked."""
        self.flush()
        return self.busy.take()

    def flush(self) -> None:
        """Give Ray what there is, time and memory as they are now."""
        with self._lock:
            seconds = self.busy.seconds()
            self._series["replica_busy_seconds"].add(seconds - self._told_seconds)
            self._told_seconds = seconds
            resident = _resident_bytes()
            if resident:
                self._series["replica_memory_bytes"].set(resident)
            if self._device == "cuda":
                import torch

                reserved = float(torch.cuda.memory_reserved())
                self._series["replica_gpu_memory_bytes"].set(reserved)
            self._gathered.flush()


def has_agent() -> bool:
    """Whether this process belongs to Ray, so that somebody collects what it measures."""
    return bool(ray.is_initialized())


def ray_instruments() -> Any:
    """Ray's module of metrics, for a library that makes its own."""
    return ray_metrics


class _OfRay:
    """A metric of Ray."""

    def __init__(self, entry: Metric, tags: dict[str, str]) -> None:
        kind = ray_metrics.Counter if entry.kind is Kind.COUNTER else ray_metrics.Gauge
        self._metric = kind(entry.name, entry.help, entry.labels)
        self._tags = tags

    def record(self, value: float) -> None:
        # Not Counter.inc(), which refuses 0: a counter that is absent until its first event hides
        # that event from rate().
        self._metric._record(value, self._tags)


class _Guarded:
    """An instrument that falls silent, with one line in the log, when it fails."""

    def __init__(self, instrument: Instrument | None, name: str) -> None:
        self._instrument = instrument
        self._name = name

    def record(self, value: float) -> None:
        if self._instrument is None:
            return
        try:
            self._instrument.record(value)
        except Exception as error:
            self._instrument = None
            _log.warning("%s is not measured any more: %s", self._name, error)


def _guarded(
    make: Callable[[Metric, dict[str, str]], Instrument], entry: Metric, tags: dict[str, str]
) -> Instrument:
    try:
        return _Guarded(make(entry, tags), entry.name)
    except Exception as error:
        _log.warning("%s is not measured: %s", entry.name, error)
        return _Guarded(None, entry.name)


def _resident_bytes() -> float:
    """Resident memory of this process; 0 where the system does not say."""
    try:
        return float(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return 0.0
