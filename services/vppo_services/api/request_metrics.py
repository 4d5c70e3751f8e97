"""Counts and times of requests, for Prometheus."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.types import Scope

_BUCKETS: Final = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_NO_ROUTE: Final = "none"


class RequestMetrics:
    """Requests of one application, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "vppo_api_requests",
            "Replies by route, method and status.",
            ("route", "method", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "vppo_api_request_seconds",
            "Time to the first byte of a reply, in seconds.",
            ("route", "method"),
            buckets=_BUCKETS,
            registry=self.registry,
        )

    def observe(self, scope: Scope, status: int, seconds: float) -> None:
        """Count a reply.

        Args:
            scope: of the request, after routing.
            seconds: to the first byte.
        """
        # The template of the path: paths themselves are without number.
        route = getattr(scope.get("route"), "path", _NO_ROUTE)
        method = scope["method"] if route != _NO_ROUTE else _NO_ROUTE
        self._requests.labels(route, method, str(status)).inc()
        self._seconds.labels(route, method).observe(seconds)
