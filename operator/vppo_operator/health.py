"""`/healthz`, `/readyz`, `/metrics`: how the operator is, for Kubernetes and Prometheus."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from aiohttp import web

CANARY_SECONDS: Final = 300.0
RESYNC_SECONDS: Final = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How it is at one moment."""

    is_standby: bool
    """Whether another operator holds the Lease."""

    is_synced: bool
    """Whether every job of the first list was looked at."""

    canary_age_seconds: float | None
    """Since the canary came back; None where there is none."""

    resync_age_seconds: float
    """Since all jobs were listed."""

    resync_seconds: float
    """How often they are."""

    notes: tuple[str, ...] = ()
    """What a person should know: kinds that are not served, an old CRD."""

    @property
    def illness(self) -> str:
        """Why it should be started anew; empty while it should not."""
        if self.is_standby:
            return ""
        canary = self.canary_age_seconds
        if canary is not None and canary > CANARY_SECONDS:
            return f"no watch has shown the canary for {canary:.0f} s"
        if self.resync_age_seconds > max(RESYNC_SECONDS, 3 * self.resync_seconds):
            return f"the jobs were not listed for {self.resync_age_seconds:.0f} s"
        return ""

    @property
    def is_ready(self) -> bool:
        """Whether it does its work, or stands by to do it."""
        return self.is_standby or self.is_synced


def health_app(
    health: Callable[[], Health], page: Callable[[], tuple[bytes, str]]
) -> web.Application:
    """The application.

    Args:
        page: what a scrape gets, and its content type.
    """

    async def healthz(_: web.Request) -> web.Response:
        illness = health().illness
        return web.json_response({"status": illness or "ok"}, status=500 if illness else 200)

    async def readyz(_: web.Request) -> web.Response:
        now = health()
        word = "standby" if now.is_standby else "ready" if now.is_synced else "starting"
        body = {"status": word, "notes": list(now.notes)}
        return web.json_response(body, status=200 if now.is_ready else 503)

    async def metrics(_: web.Request) -> web.Response:
        body, kind = page()
        return web.Response(body=body, headers={"Content-Type": kind})

    app = web.Application()
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", metrics)
    return app
