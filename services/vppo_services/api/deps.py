"""What routes ask for: the store, the settings, the caller and its permission."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Final

import anyio.to_thread
from fastapi import Depends, Request

from vppo_services.api.auth import Access, Caller
from vppo_services.api.errors import ApiError, no_token
from vppo_services.api.job_store import JobStore
from vppo_services.api.parameters import Namespace
from vppo_services.api.settings import ApiSettings

__all__ = [
    "AppStoreDep",
    "Caller",
    "CallerDep",
    "NamespaceDep",
    "SettingsDep",
    "StoreDep",
    "allowed",
    "allowed_anywhere",
    "check_permission",
    "permit",
]

CALLER: Final = "vppo.caller"
"""Where the door leaves the caller in the scope of a request."""


# Coroutines, although most wait for nothing: FastAPI sends plain functions to a thread.
async def get_app_store(request: Request) -> JobStore:
    """The store of the application."""
    store: JobStore = request.app.state.store
    return store


async def get_settings(request: Request) -> ApiSettings:
    """The settings of the application."""
    settings: ApiSettings = request.app.state.settings
    return settings


async def get_caller(request: Request) -> Caller:
    """Who makes the request.

    Raises:
        ApiError: 401, the door let it in without knowing who it is.
    """
    caller: Caller | None = request.scope.get(CALLER)
    if caller is None:
        raise no_token()
    return caller


AppStoreDep = Annotated[JobStore, Depends(get_app_store)]
SettingsDep = Annotated[ApiSettings, Depends(get_settings)]
CallerDep = Annotated[Caller, Depends(get_caller)]


async def get_namespace(settings: SettingsDep, namespace: Namespace = None) -> str:
    """The namespace that the request speaks of; without one in it, that of the settings.

    Raises:
        ApiError: 422, this server does not serve it.
    """
    wanted = namespace or settings.namespace
    trouble = settings.trouble_with(wanted)
    if trouble:
        raise ApiError(422, "invalid_request", f"namespace {trouble}", param="namespace")
    return wanted


NamespaceDep = Annotated[str, Depends(get_namespace)]


async def get_store(store: AppStoreDep, namespace: NamespaceDep) -> JobStore:
    """The jobs of the request's namespace."""
    return store.within(namespace)


StoreDep = Annotated[JobStore, Depends(get_store)]


async def permit(caller: Caller, access: Access) -> None:
    """Go on only if the caller may do this.

    Raises:
        ApiError: 403; it names verb, resource and, on a cluster, namespace.
        StoreUnavailableError: nobody knows.
    """
    may = caller.authorizer.recall(caller, access)
    if may is None:
        may = await anyio.to_thread.run_sync(caller.authorizer.ask, caller, access)
    _refuse_unless(may, caller, access)


def check_permission(caller: Caller, access: Access) -> None:
    """The same in a thread, for what only the body says."""
    _refuse_unless(caller.may(access), caller, access)


def allowed(verb: str, resource: str) -> Callable[..., Awaitable[Caller]]:
    """A dependency that gives the caller if it may do this in the request's namespace; else 403.

    Args:
        verb: `create`, `get`, `list`, `watch`, `patch` or `delete`.
        resource: `vppojobs`, `vppojobs/log`, `webhooks`, ...: as the equivalent kubectl call.
    """

    async def permitted(caller: CallerDep, namespace: NamespaceDep) -> Caller:
        await permit(caller, Access(verb, resource, namespace))
        return caller

    return permitted


def allowed_anywhere(verb: str, resource: str) -> Callable[..., Awaitable[Caller]]:
    """The same for what is of no namespace: schemas, pools."""

    async def permitted(caller: CallerDep) -> Caller:
        await permit(caller, Access(verb, resource))
        return caller

    return permitted


def _refuse_unless(may: bool, caller: Caller, access: Access) -> None:
    if not may:
        raise ApiError(403, "forbidden", caller.authorizer.refusal(caller, access))
