"""The run's `/metrics`: every series is an entry of the catalogue."""

import threading
from typing import Final
from wsgiref.simple_server import WSGIServer

import numpy.typing as npt
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from vppo_core.catalogue import DISTRIBUTIONS, METRICS, Kind, Metric, parse
from vppo_core.instruments import WithoutBirths
from vppo_services.observability.distribution import Distribution

_SINKS: Final = ("file", "mlflow", "spotlight")


class PrometheusSink:
    """Serves the catalogue on `http://HOST:PORT/metrics`, from a thread of its own.

    Counters start at 0. A gauge appears with its first value: a reward that nobody measured must
    not read as 0.
    """

    def __init__(self, port: int = 0, *, host: str = "127.0.0.1") -> None:
        """Start serving.

        Args:
            port: 0 takes a free one, to be read from `port`.

        Raises:
            OSError: the port is taken or not allowed.
        """
        self.host = host
        self._registry = CollectorRegistry()
        self._counters: dict[str, Counter] = {}
        self._histograms: dict[str, Histogram] = {}
        self._gauges: dict[str, Gauge] = {}
        self._distributions: dict[str, Distribution] = {}
        self._lock = threading.Lock()
        for entry in METRICS.values():
            self._register(entry)
        for entry in DISTRIBUTIONS.values():
            self._distributions[entry.key] = Distribution(entry)
            self._registry.register(self._distributions[entry.key])
        self._server: WSGIServer
        self._server, self._thread = start_http_server(
            port, addr=host, registry=WithoutBirths(self._registry)
        )
        self.port: int = self._server.server_port

    @property
    def url(self) -> str:
        """Address that Prometheus scrapes."""
        return f"http://{self.host}:{self.port}/metrics"

    def set(self, reference: str, value: float) -> None:
        """Set a gauge, such as `reward_mean` or `stage_seconds{sample}`."""
        entry, values = self._entry(reference, Kind.GAUGE)
        with self._lock:
            gauge = self._gauges.get(entry.key)
            if gauge is None:
                gauge = Gauge(entry.name, entry.help, entry.labels, registry=self._registry)
                self._gauges[entry.key] = gauge
        (gauge.labels(*values) if values else gauge).set(value)

    def inc(self, reference: str, amount: float = 1.0) -> None:
        """Add to a counter, such as `reward_verdicts{ok}`; a negative amount is refused."""
        entry, values = self._entry(reference, Kind.COUNTER)
        counter = self._counters[entry.key]
        (counter.labels(*values) if values else counter).inc(amount)

    def observe(self, reference: str, value: float) -> None:
        """Add an observation to a histogram, such as `step_seconds`."""
        entry, values = self._entry(reference, Kind.HISTOGRAM)
        histogram = self._histograms[entry.key]
        (histogram.labels(*values) if values else histogram).observe(value)

    def observe_all(self, key: str, values: npt.ArrayLike) -> int:
        """Add every value of an array to a distribution, such as `token_dependency`.

        Returns:
            How many were not finite, which are left out.

        Raises:
            LookupError: not a distribution of the catalogue.
        """
        if key not in self._distributions:
            raise LookupError(
                f"a distribution must be one of {', '.join(self._distributions)}, got {key!r}"
            )
        return self._distributions[key].observe(values)

    def record(self, reference: str, value: float) -> None:
        """Set, add or observe, as the entry's kind asks."""
        kind = parse(reference)[0].kind
        if kind is Kind.GAUGE:
            self.set(reference, value)
        elif kind is Kind.COUNTER:
            self.inc(reference, value)
        else:
            self.observe(reference, value)

    def close(self) -> None:
        """Stop serving; no thread and no socket is left."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5.0)

    def _register(self, entry: Metric) -> None:
        if entry.kind is Kind.COUNTER:
            self._counters[entry.key] = Counter(
                entry.name, entry.help, entry.labels, registry=self._registry
            )
            # The first loss is growth only where there was a 0 before it.
            for sink in _SINKS if entry.labels == ("sink",) else ():
                self._counters[entry.key].labels(sink)
        elif entry.kind is Kind.HISTOGRAM:
            self._histograms[entry.key] = Histogram(
                entry.name,
                entry.help,
                entry.labels,
                registry=self._registry,
                buckets=entry.buckets,
            )

    @staticmethod
    def _entry(reference: str, kind: Kind) -> tuple[Metric, tuple[str, ...]]:
        entry, values = parse(reference)
        if entry.kind is not kind:
            raise LookupError(
                f"{entry.key} is a {entry.kind.value}, and was used as a {kind.value}"
            )
        return entry, values
