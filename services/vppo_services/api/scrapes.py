"""What is asked only when somebody scrapes: open streams, and messages that wait."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily

from vppo_core.archive.errors import StoreError
from vppo_core.archive.records import Backlog
from vppo_core.instruments import gauge_family
from vppo_services.api.job_store import JobStore
from vppo_services.api.limits import StreamSlots

FRESH_SECONDS: Final = 5.0
"""So long a count of messages is given out again."""

_KEYS: Final = ("api_streams", "webhook_backlog", "webhook_oldest_seconds")


class ApiGauges:
    """Gauges of one application. Without a database those of messages are missing, not 0."""

    def __init__(
        self,
        registry: CollectorRegistry,
        *,
        slots: StreamSlots,
        store: Callable[[], JobStore],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Register them.

        Args:
            store: who has the messages, asked at a scrape.
            clock: seconds that only go up.
        """
        self._slots = slots
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._known: tuple[float, Backlog] | None = None
        registry.register(self)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The gauges, for the client."""
        yield _gauge("api_streams", self._slots.open)
        backlog = self._backlog()
        if backlog is not None:
            yield _gauge("webhook_backlog", backlog.count)
            yield _gauge("webhook_oldest_seconds", backlog.oldest_seconds)

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """The families without values: registering must not ask the database."""
        yield from map(gauge_family, _KEYS)

    def _backlog(self) -> Backlog | None:
        with self._lock:
            now = self._clock()
            if self._known is None or now - self._known[0] >= FRESH_SECONDS:
                try:
                    self._known = (now, self._store().delivery_backlog())
                except StoreError:
                    self._known = None
            return self._known[1] if self._known else None


def _gauge(key: str, value: float) -> GaugeMetricFamily:
    family = gauge_family(key)
    family.add_metric([], value)
    return family
