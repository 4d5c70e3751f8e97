"""The run's `/metrics`: every series is an entry of the catalogue."""

from typing import Final
from wsgiref.simple_server import WSGIServer

import numpy.typing as npt
from prometheus_client import CollectorRegistry, start_http_server

from vppo_core.catalogue import DISTRIBUTIONS, METRICS, Kind, Metric, parse
from vppo_core.instruments import Instruments, WithoutBirths
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
        registry = CollectorRegistry()
        # The first loss is growth only where there was a 0 before it.
        known = {"sink_dropped": [(sink,) for sink in _SINKS]}
        self._made = Instruments(registry, METRICS.values(), known=known)
        self._distributions = {key: Distribution(one) for key, one in DISTRIBUTIONS.items()}
        for distribution in self._distributions.values():
            registry.register(distribution)
        self._server: WSGIServer
        self._server, self._thread = start_http_server(
            port, addr=host, registry=WithoutBirths(registry)
        )
        self.port: int = self._server.server_port

    @property
    def url(self) -> str:
        """Address that Prometheus scrapes."""
        return f"http://{self.host}:{self.port}/metrics"

    def set(self, reference: str, value: float) -> None:
        """Set a gauge, such as `reward_mean` or `stage_seconds{sample}`."""
        entry, labels = self._entry(reference, Kind.GAUGE)
        self._made.set(entry.key, value, *labels)

    def inc(self, reference: str, amount: float = 1.0) -> None:
        """Add to a counter, such as `reward_verdicts{ok}`; a negative amount is refused."""
        entry, labels = self._entry(reference, Kind.COUNTER)
        self._made.inc(entry.key, *labels, by=amount)

    def observe(self, reference: str, value: float) -> None:
        """Add an observation to a histogram, such as `step_seconds`."""
        entry, labels = self._entry(reference, Kind.HISTOGRAM)
        self._made.observe(entry.key, value, *labels)

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

    @staticmethod
    def _entry(reference: str, kind: Kind) -> tuple[Metric, tuple[str, ...]]:
        entry, values = parse(reference)
        if entry.kind is not kind:
            raise LookupError(
                f"{entry.key} is a {entry.kind.value}, and was used as a {kind.value}"
            )
        return entry, values
