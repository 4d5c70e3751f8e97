"""Whom the API serves: programs of this machine, or callers with a token; and how much of them."""

from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from vppo_core.archive.errors import StoreError
from vppo_services.api.auth import LOCAL, Authenticator, Caller
from vppo_services.api.deps import CALLER
from vppo_services.api.errors import ApiError, no_token, problem_of
from vppo_services.api.limits import RateLimit
from vppo_services.api.settings import is_loopback

READS: Final = ("GET", "HEAD", "OPTIONS")
_LOCAL_HOSTS: Final = ("localhost", "127.0.0.1", "::1")
_OPEN: Final = ("/", "/healthz", "/readyz", "/metrics", "/metrics/targets", "/ui")
_FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-real-ip")


class Door:
    """Lets a request in and says who makes it."""

    def __init__(
        self, app: ASGIApp, *, authenticator: Authenticator | None, rates: RateLimit
    ) -> None:
        """In front of `app`.

        Args:
            authenticator: who knows tokens; None lets in this machine, and nobody else.
        """
        self._app = app
        self._authenticator = authenticator
        self._rates = rates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request.

        Raises:
            ApiError: 401, 403 or 429.
        """
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            check_origin(scope["method"], headers)
            scope[CALLER] = await self._admit(scope, headers)
        await self._app(scope, receive, send)

    async def _admit(self, scope: Scope, headers: Headers) -> Caller | None:
        peer = _peer(scope)
        if self._authenticator is None:
            check_local(peer, headers)
            self._rates.take(LOCAL.name)
            return LOCAL
        kind, _, token = headers.get("authorization", "").partition(" ")
        is_bearer = kind.lower() == "bearer" and bool(token.strip())
        try:
            caller = await self._authenticator.caller_of(token.strip()) if is_bearer else None
        except StoreError as error:
            if _is_open(scope["path"]):
                return None
            self._rates.take(f"address {peer}")
            raise problem_of(error) from error
        # Without a known token the address counts, so that guessing is slow.
        self._rates.take(caller.name if caller else f"address {peer}")
        if caller is None and not _is_open(scope["path"]):
            raise no_token("another one" if is_bearer else "none")
        return caller


def check_origin(method: str, headers: Headers) -> None:
    """Refuse changes that a page of another origin asks for: the browser names it.

    Raises:
        ApiError: 403.
    """
    origin = headers.get("origin")
    if method in READS or origin is None:
        return
    if _authority(origin) != _authority(f"//{headers.get('host', '')}", scheme_of=origin):
        raise ApiError(
            403,
            "cross_origin",
            f"a change must be asked for by this server's own page, got the origin "
            f"{origin[:128]!r}; use the page at /ui/, or a program that sends no Origin",
            param="Origin",
        )


def check_local(peer: str, headers: Headers) -> None:
    """Refuse what does not come from this machine, and what a page of elsewhere makes a browser
    of this machine send, by a name that it points here.

    Raises:
        ApiError: 403.
    """
    host = headers.get("host", "")
    via = next((name for name in _FORWARDED if name in headers), None)
    if not is_loopback(peer) or via is not None:
        got = f"one from {peer or 'nowhere'}" if via is None else f"one with the header {via}"
        raise _not_local(f"a request must come from this machine itself, got {got}")
    name, _ = _authority(f"//{host}") or ("", 0)
    if name not in _LOCAL_HOSTS:
        raise _not_local(
            f"Host must be localhost, 127.0.0.1 or [::1], got {host[:128]!r}", param="Host"
        )


def _not_local(rule: str, *, param: str = "") -> ApiError:
    cure = "start the server with a token file to serve others"
    return ApiError(403, "not_local", f"{rule}; {cure}", param=param)


def _authority(url: str, *, scheme_of: str = "") -> tuple[str, int] | None:
    """Host and port; None where there is none."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if not parts.hostname or parts.username is not None:
        return None
    scheme = parts.scheme or scheme_of.partition(":")[0]
    return parts.hostname, port or (443 if scheme == "https" else 80)


def _peer(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


def _is_open(path: str) -> bool:
    return path in _OPEN or path.removeprefix("/v1") in _OPEN[1:] or path.startswith("/ui/")
