"""What the API measures of itself, for Prometheus."""

from typing import Final

from prometheus_client import CollectorRegistry
from starlette.types import Scope

from vppo_core.catalogue.control import API
from vppo_core.instruments import Instruments

DELIVERED: Final = "delivered"
FAILED: Final = "failed"
"""It is tried again."""

GIVEN_UP: Final = "given_up"
_NO_ROUTE: Final = "none"
_OF_THE_STORE: Final = ("webhook_backlog", "webhook_oldest_seconds", "api_streams")
"""Asked at each scrape, see `scrapes.py`."""


class RequestMetrics:
    """Requests and deliveries of one application."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        """Register them, by default in a registry of their own."""
        self.registry = registry or CollectorRegistry()
        self._made = Instruments(
            self.registry,
            [entry for entry in API if entry.key not in _OF_THE_STORE],
            known={"webhook_deliveries": [(DELIVERED,), (FAILED,), (GIVEN_UP,)]},
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
        self._made.inc("api_requests", route, method, str(status))
        self._made.observe("api_request_seconds", seconds, route, method)

    def count_delivery(self, result: str) -> None:
        """Count an attempt to deliver a message: `DELIVERED`, `FAILED` or `GIVEN_UP`."""
        self._made.inc("webhook_deliveries", result)
