"""What routes ask for: the store, the settings, the caller and its permission."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Final

from fastapi import Depends, Request

from vppo_services.api.auth import Caller
from vppo_services.api.errors import ApiError, no_token
from vppo_services.api.job_store import JobStore
from vppo_services.api.settings import ApiSettings

__all__ = [
    "Caller",
    "CallerDep",
    "SettingsDep",
    "StoreDep",
    "allowed",
    "permit",
]

CALLER: Final = "vppo.caller"
"""Where the door leaves the caller in the scope of a request."""


# Coroutines, although they wait for nothing: FastAPI sends plain functions to a thread.
async def get_store(request: Request) -> JobStore:
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


StoreDep = Annotated[JobStore, Depends(get_store)]
SettingsDep = Annotated[ApiSettings, Depends(get_settings)]
CallerDep = Annotated[Caller, Depends(get_caller)]


def permit(caller: Caller, verb: str, resource: str) -> None:
    """Go on only if the caller may do this.

    Args:
        verb: `create`, `get`, `list`, `watch`, `patch` or `delete`.
        resource: `vppojobs`, `vppojobs/log`, `webhooks`, ...: as the equivalent kubectl call.

    Raises:
        ApiError: 403; it names verb and resource.
    """
    if not caller.may(verb, resource):
        raise ApiError(
            403,
            "forbidden",
            f"{caller.name} must be allowed to {verb} {resource}, got groups "
            f"{', '.join(caller.groups) or 'none'}; ask for the group 'editor'",
        )


def allowed(verb: str, resource: str) -> Callable[[Caller], Awaitable[Caller]]:
    """A dependency that gives the caller if it may do this; 403 otherwise."""

    async def permitted(caller: CallerDep) -> Caller:
        permit(caller, verb, resource)
        return caller

    return permitted
