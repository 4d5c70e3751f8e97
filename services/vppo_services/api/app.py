"""The API as one application, on any store of jobs."""

from typing import Any, Final

from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from prometheus_client import CollectorRegistry
from pydantic.alias_generators import to_camel
from starlette.exceptions import HTTPException

from vppo_core.errors import VPPOError
from vppo_services.api import (
    catalogue_routes,
    files,
    health,
    history,
    jobs,
    scrape_targets,
    streams,
    usage,
    webhooks,
)
from vppo_services.api.auth import Authenticator, read_token_file
from vppo_services.api.body_limit import BodyLimit
from vppo_services.api.door import Door
from vppo_services.api.envelope import Envelope, known_problem, problem_handler
from vppo_services.api.errors import ApiError
from vppo_services.api.job_store import JobStore
from vppo_services.api.lifespan import running
from vppo_services.api.limits import RateLimit, StreamSlots
from vppo_services.api.openapi_document import TITLE, VERSION, openapi_document
from vppo_services.api.refusals import http_problem, known_parameters, validation_problem
from vppo_services.api.request_metrics import RequestMetrics
from vppo_services.api.scrapes import ApiGauges
from vppo_services.api.settings import ApiSettings
from vppo_services.web.mount import mount

PREFIX: Final = "/v1"
_ROUTERS: Final = (
    jobs.router,
    streams.router,
    history.router,
    files.router,
    usage.router,
    webhooks.router,
    catalogue_routes.router,
    health.router,
    scrape_targets.router,
)


def create_app(
    store: JobStore,
    settings: ApiSettings,
    *,
    authenticator: Authenticator | None = None,
    registry: CollectorRegistry | None = None,
) -> FastAPI:
    """The application: all routes at the root and under `/v1`, the page under `/ui`.

    Args:
        authenticator: who knows tokens; by default the token file of the settings, and without
            one only programs of this machine are served.
        registry: what `/metrics` shows besides the API's own series.

    Raises:
        InvalidSpecError: the token file cannot be used.
    """
    if authenticator is None and settings.token_file is not None:
        authenticator = read_token_file(settings.token_file)
    app = _routes()
    app.state.store = store
    app.state.settings = settings
    app.state.slots = StreamSlots(settings.max_streams)
    app.state.metrics = RequestMetrics(registry)
    ApiGauges(app.state.metrics.registry, slots=app.state.slots, store=lambda: app.state.store)
    mount(app)
    # The last one added is the outermost one.
    app.add_middleware(BodyLimit)
    app.add_middleware(
        Door, authenticator=authenticator, rates=RateLimit(settings.rate, settings.burst)
    )
    app.add_middleware(Envelope, metrics=app.state.metrics)
    return app


def describe() -> dict[str, Any]:
    """The OpenAPI document, without a store."""
    return _routes().openapi()


def _routes() -> FastAPI:
    app = FastAPI(
        title=TITLE,
        version=VERSION,
        lifespan=running,
        # Their pages load scripts of another origin.
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
    )
    app.include_router(health.signpost)
    for router in _ROUTERS:
        app.include_router(router, dependencies=[Depends(known_parameters)])
    for router in _ROUTERS:
        app.include_router(
            router,
            prefix=PREFIX,
            dependencies=[Depends(known_parameters)],
            include_in_schema=False,
        )
    for kind, convert in (
        (ApiError, known_problem),
        (VPPOError, known_problem),
        (RequestValidationError, validation_problem),
        (HTTPException, http_problem),
    ):
        app.add_exception_handler(kind, problem_handler(convert))
    _print_once(app)
    return app


def _print_once(app: FastAPI) -> None:
    def printed() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = openapi_document(app)
        return app.openapi_schema

    app.openapi = printed  # type: ignore[method-assign]


def _operation_id(route: APIRoute) -> str:
    return to_camel(route.name)
