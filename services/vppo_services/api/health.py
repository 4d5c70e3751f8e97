"""Routes for those who watch the server: is it alive, may it be asked, how is it doing."""

from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from vppo_core.instruments import PAGE_TYPE, page_of
from vppo_core.spec.base import SpecModel
from vppo_services.api.deps import AppStoreDep
from vppo_services.api.request_metrics import RequestMetrics

router = APIRouter(tags=["health"])
signpost = APIRouter()

PROMETHEUS: Final = PAGE_TYPE


class Health(SpecModel):
    """A server that answers."""

    status: str = "ok"
    """Always `ok`."""


@signpost.get("/", include_in_schema=False)
async def get_root(request: Request) -> Response:
    """The page for browsers, a signpost for programs."""
    if "text/html" in request.headers.get("accept", ""):
        # Relative, so that it holds behind a proxy that adds a prefix.
        return RedirectResponse("ui/", status_code=307, headers={"Vary": "Accept"})
    paths = {"jobs": "/jobs", "openapi": "/schema/openapi", "page": "/ui/"}
    return JSONResponse(paths, headers={"Vary": "Accept"})


@router.get("/healthz", summary="Is the server alive?")
async def get_health() -> Health:
    """Answers as long as the process does. No token is needed."""
    return Health()


@router.get("/readyz", summary="May jobs be sent?")
def get_readiness(store: AppStoreDep) -> Health:
    """200 when jobs can be accepted, 503 with `Retry-After` when not. No token is needed."""
    store.ready()
    return Health()


@router.get(
    "/metrics",
    summary="Numbers for Prometheus",
    response_class=Response,
    responses={200: {"content": {PROMETHEUS: {"schema": {"type": "string"}}}}},
)
def get_server_metrics(request: Request) -> Response:
    """Requests, streams and webhooks; on one machine also the jobs. No token is needed."""
    metrics: RequestMetrics = request.app.state.metrics
    return Response(page_of(metrics.registry), headers={"Content-Type": PROMETHEUS})
