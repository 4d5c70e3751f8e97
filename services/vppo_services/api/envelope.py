"""What every reply has: request id, security headers, a count; a problem in place of a crash."""

import logging
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vppo_core.errors import VPPOError
from vppo_core.logs import about
from vppo_core.spec.origin import is_request_id
from vppo_services.api.errors import MEDIA_TYPE, ApiError, problem_json, problem_of
from vppo_services.api.request_metrics import RequestMetrics

REQUEST_ID: Final = "vppo.request_id"
_READS: Final = ("GET", "HEAD", "OPTIONS")
_HEADERS: Final = (
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cache-Control", "no-store"),
)
_log: Final = logging.getLogger(__name__)


class Envelope:
    """The outermost application."""

    def __init__(self, app: ASGIApp, *, metrics: RequestMetrics) -> None:
        """Around `app`."""
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope[REQUEST_ID] = request_id
        with about(request=request_id):
            await self._serve(scope, receive, _Sender(scope, send, request_id, self._metrics))

    async def _serve(self, scope: Scope, receive: Receive, sender: "_Sender") -> None:
        request_id = scope[REQUEST_ID]
        try:
            await self._app(scope, receive, sender)
        except ApiError as error:
            await problem_response(scope, error)(scope, receive, sender)
        except Exception:
            # The one place for what nobody expected: a caller gets a problem and an id, the log
            # has the rest. A reply that has begun can only be cut off.
            _log.exception("request %s failed: %s %s", request_id, scope["method"], scope["path"])
            if sender.has_begun:
                raise
            await problem_response(scope, _internal(request_id))(scope, receive, sender)


class _Sender:
    """Sends a reply with its headers, and counts it."""

    def __init__(self, scope: Scope, send: Send, request_id: str, metrics: RequestMetrics) -> None:
        self.has_begun = False
        self._scope = scope
        self._send = send
        self._request_id = request_id
        self._metrics = metrics
        self._began = time.perf_counter()

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.has_begun = True
            headers = MutableHeaders(scope=message)
            headers["X-Request-Id"] = self._request_id
            for name, value in _HEADERS:
                headers.setdefault(name, value)
            # To the first byte: a stream lasts as long as its reader likes.
            seconds = time.perf_counter() - self._began
            self._metrics.observe(self._scope, message["status"], seconds)
            self._note(message["status"], seconds)
        await self._send(message)

    def _note(self, status: int, seconds: float) -> None:
        """A line for each change that was asked for: by its request id it leads to the job."""
        method, path = self._scope["method"], self._scope["path"]
        if method not in _READS:
            _log.info("%s %s: %d in %.0f ms", method, path, status, 1000 * seconds)


def problem_response(scope: Scope, error: ApiError) -> Response:
    """The reply that tells of an error."""
    body = problem_json(error, instance=scope["path"], request_id=scope.get(REQUEST_ID, ""))
    return Response(body, error.status, headers=dict(error.headers), media_type=MEDIA_TYPE)


def problem_handler(
    convert: Callable[[Request, Exception], ApiError],
) -> Callable[[Request, Exception], Awaitable[Response]]:
    """A handler of the framework for errors of one kind."""

    async def handle(request: Request, error: Exception) -> Response:
        return problem_response(request.scope, convert(request, error))

    return handle


def known_problem(_request: Request, error: Exception) -> ApiError:
    """An error of the program as a reply."""
    assert isinstance(error, ApiError | VPPOError), f"nobody converts {type(error).__name__}"
    return error if isinstance(error, ApiError) else problem_of(error)


def _request_id(scope: Scope) -> str:
    given = Headers(scope=scope).get("x-request-id", "")
    return given if is_request_id(given) else uuid.uuid4().hex


def _internal(request_id: str) -> ApiError:
    return ApiError(
        500,
        "internal",
        f"the server must answer every request, got a fault of its own; report {request_id}, by "
        "which its log knows this request",
    )
