"""What runs beside the requests of an application: the sender of webhooks."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Final

from fastapi import FastAPI

from vppo_services.api.outbox import Outbox, new_client

_log: Final = logging.getLogger(__name__)


@asynccontextmanager
async def running(app: FastAPI) -> AsyncIterator[None]:
    """Send webhooks while the application runs; at its end, end streams as well."""
    stop = asyncio.Event()
    state = app.state
    async with new_client() as client:
        outbox = Outbox(
            state.store,
            client,
            lambda: datetime.now(UTC),
            state.settings.allow_private_webhooks,
            count=state.metrics.count_delivery,
        )
        sending = asyncio.create_task(outbox.run(stop), name="send webhooks")
        sending.add_done_callback(_report)
        try:
            yield
        finally:
            stop.set()
            end_streams(app)
            await asyncio.wait([sending])


def end_streams(app: FastAPI) -> None:
    """Send the readers of all streams home; a server that shuts down calls this first, as it waits
    for its connections."""
    tails = getattr(app.state, "tails", None)
    if tails is not None:
        tails.close()


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        _log.error("webhooks are no longer sent; restart the server", exc_info=task.exception())
