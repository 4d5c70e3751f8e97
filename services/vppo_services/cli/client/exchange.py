"""Between calls and httpx: what both senders do with a request and its answer."""

from importlib.metadata import version
from typing import Any, Final

import httpx

from vppo_services.cli.client.calls import Call, Query, Reply
from vppo_services.cli.client.following import Following
from vppo_services.cli.client.problems import ApiProblem, interrupted, problem_of, unreachable
from vppo_services.cli.client.retries import Retries
from vppo_services.cli.server import Server, server_of

TIMEOUT_SECONDS: Final = 30.0
CONNECT_SECONDS: Final = 5.0
_OF_NO_NAMESPACE: Final = ("/pools", "/schema/")
STREAM_SILENCE_SECONDS: Final = 45.0
"""Three comments of the server that did not come: the connection is dead."""


def chosen(server: Server | str | None) -> Server:
    """The server as it was given, or else as the environment has it."""
    return server if isinstance(server, Server) else server_of(server or "")


def options(server: Server, timeout_seconds: float) -> dict[str, Any]:
    """Arguments of an httpx client."""
    headers = {"accept": "application/json", "user-agent": f"vppo/{version('vppo')}"}
    if server.token:
        headers["authorization"] = f"Bearer {server.token}"
    return {
        "headers": headers,
        "timeout": httpx.Timeout(timeout_seconds, connect=min(CONNECT_SECONDS, timeout_seconds)),
        "trust_env": not server.is_loopback,
    }


def request_of(
    http: httpx.Client | httpx.AsyncClient, server: Server, call: Call[Any]
) -> httpx.Request:
    """The request of a call."""
    return http.build_request(
        call.method,
        server.address + call.path,
        params=httpx.QueryParams([*call.query, *place_of(server, call.path)]),
        headers=call.all_headers,
        content=call.content,
    )


def stream_request(
    http: httpx.Client | httpx.AsyncClient, server: Server, following: Following[Any]
) -> httpx.Request:
    """The request of a stream's next connection; only its silence is bounded."""
    timeout = httpx.Timeout(STREAM_SILENCE_SECONDS, connect=CONNECT_SECONDS)
    return http.build_request(
        "GET",
        server.address + following.path,
        params=httpx.QueryParams([*following.query(), *place_of(server, following.path)]),
        headers=following.headers(),
        timeout=timeout,
    )


def place_of(server: Server, path: str) -> Query:
    """The namespace as a parameter, where a path takes one."""
    is_placed = not path.startswith(_OF_NO_NAMESPACE)
    return [("namespace", server.namespace)] if server.namespace and is_placed else []


def reply_of(response: httpx.Response, server: Server) -> Reply:
    """The answer of a response that was read.

    Raises:
        ApiProblem: the API refused.
    """
    if not response.is_success:
        raise refusal(response, server)
    return Reply(response.status_code, response.headers, response.content)


def refusal(response: httpx.Response, server: Server) -> ApiProblem:
    """The error of a response that was read."""
    return problem_of(
        response.status_code, response.headers, response.content, address=server.address
    )


def failure(error: httpx.RequestError, server: Server) -> ApiProblem:
    """The error of a request without a response."""
    reason = str(error) or type(error).__name__
    never_sent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError)
    return (unreachable if never_sent else interrupted)(server.address, reason)


def wait_or_raise(retries: Retries, tried: int, problem: ApiProblem, call: Call[Any]) -> float:
    """Seconds until the next try.

    Raises:
        ApiProblem: the given one, if it stands.
    """
    wait = retries.wait(tried, problem, is_repeatable=call.is_repeatable)
    if wait is None:
        raise problem from None
    return wait
