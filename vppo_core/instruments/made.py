"""Instruments made from entries of the catalogue."""

import threading
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from vppo_core.catalogue import Kind, Metric

_NOTHING: Final[Mapping[str, Sequence[tuple[str, ...]]]] = MappingProxyType({})

_Kind = TypeVar("_Kind", Counter, Histogram)


class Instruments:
    """Some entries of the catalogue as instruments of one registry. Threads may share them.

    Counters and histograms start at 0, those with labels where their values are known: a rate
    needs a first value. A gauge appears with its first value: what nobody measured must not read
    as 0.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        entries: Iterable[Metric],
        *,
        known: Mapping[str, Sequence[tuple[str, ...]]] = _NOTHING,
    ) -> None:
        """Register them.

        Args:
            known: by key, the label values that a counter starts with.

        Raises:
            ValueError: the registry has one of the names already.
        """
        self._registry = registry
        self._entries = {entry.key: entry for entry in entries}
        self._gauges: dict[str, Gauge] = {}
        self._lock = threading.Lock()
        self._counters = {
            key: Counter(entry.name, entry.help, entry.labels, registry=registry)
            for key, entry in self._entries.items()
            if entry.kind is Kind.COUNTER
        }
        self._histograms = {
            key: Histogram(
                entry.name, entry.help, entry.labels, registry=registry, buckets=entry.buckets
            )
            for key, entry in self._entries.items()
            if entry.kind is Kind.HISTOGRAM
        }
        for key, values in known.items():
            for labels in values:
                _labelled(self._counters[key], labels)

    def set(self, key: str, value: float, *labels: str) -> None:
        """Set a gauge."""
        gauge = self._gauges.get(key) or self._gauge(key)
        (gauge.labels(*labels) if labels else gauge).set(value)

    def inc(self, key: str, *labels: str, by: float = 1.0) -> None:
        """Add to a counter; a negative amount is refused."""
        _labelled(self._counters[self._key(key, Kind.COUNTER)], labels).inc(by)

    def observe(self, key: str, value: float, *labels: str) -> None:
        """Add an observation to a histogram."""
        _labelled(self._histograms[self._key(key, Kind.HISTOGRAM)], labels).observe(value)

    def _gauge(self, key: str) -> Gauge:
        entry = self._entries[self._key(key, Kind.GAUGE)]
        with self._lock:
            made = self._gauges.get(key)
            if made is None:
                made = Gauge(entry.name, entry.help, entry.labels, registry=self._registry)
                self._gauges[key] = made
        return made

    def _key(self, key: str, kind: Kind) -> str:
        entry = self._entries.get(key)
        if entry is None or entry.kind is not kind:
            got = entry.kind.value if entry else "none that is made here"
            raise LookupError(
                f"{key!r} must be a {kind.value} of these instruments, got {got}; see "
                "vppo_core/catalogue"
            )
        return key


def _labelled(instrument: _Kind, labels: tuple[str, ...]) -> _Kind:
    return instrument.labels(*labels) if labels else instrument
