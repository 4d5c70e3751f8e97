"""Where drivers report: an aiohttp application that keeps their files and answers with a stop.

    POST /v1/runs/{namespace}/{job}/{uid}/{attempt}/report          the driver lives
    PUT  /v1/runs/{namespace}/{job}/{uid}/{attempt}/files/{path}    a part of a file
    GET  /v1/runs/{namespace}/{job}/{uid}/{attempt}/files/{path}    a part of the run's history

Every request is checked by its token, then by whether the attempt exists. Nothing blocks the loop.
"""

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aiohttp import web
from pydantic import ValidationError

from vppo_core.archive.errors import JobNotFoundError
from vppo_core.kube.api import KubeApi
from vppo_core.kube.errors import KubeError
from vppo_core.logs import about, note
from vppo_core.runs.protocol import (
    FILES_PATH,
    MAX_PART_BYTES,
    MAX_RUN_BYTES,
    REFUSED_PATH,
    REPORT_PATH,
    UNKNOWN_ATTEMPT,
    Report,
)
from vppo_operator.driver_tokens import DriverTokens, OtherSenderError, UnauthorizedError
from vppo_operator.mirror_files import MirrorFiles, OffsetError, RefusedPathError, TooLargeError

_log = logging.getLogger(__name__)

_BODY_SECONDS: Final = 30.0
_NUMBER: Final = re.compile(r"[0-9]{1,12}")
_NEWS: Final = re.compile(r"attempts/[0-9]+/(?:progress|exit)\.json|checkpoints\.jsonl")

Known = Callable[[str, str, str, int], bool]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class _UnknownAttemptError(Exception):
    """There is no such attempt, or no longer."""


_REFUSALS: Final[dict[type[Exception], tuple[int, str]]] = {
    UnauthorizedError: (401, "unauthorized"),
    OtherSenderError: (403, "other_sender"),
    RefusedPathError: (403, REFUSED_PATH),
    _UnknownAttemptError: (404, UNKNOWN_ATTEMPT),
    JobNotFoundError: (404, UNKNOWN_ATTEMPT),
    TooLargeError: (413, "too_large"),
}


@dataclass(frozen=True, slots=True)
class _Sender:
    namespace: str
    job: str
    uid: str
    attempt: int


def receiver_app(
    api: KubeApi,
    jobs_folder: Path,
    *,
    on_report: Callable[[str, str], None],
    known: Known,
    clock: Callable[[], float] = time.monotonic,
    max_run_bytes: int = MAX_RUN_BYTES,
) -> web.Application:
    """The application, to be served with TLS.

    Args:
        api: reviews tokens.
        jobs_folder: run folders by uid are made below it.
        on_report: called in the loop with namespace and name of a job that has news.
        known: whether this attempt (namespace, name, uid, number) exists; called in a thread. While
            it cannot say, it raises a `KubeError`.
        clock: seconds, for the age of a token's review.
    """
    receiver = _Receiver(
        DriverTokens(api, clock),
        MirrorFiles(jobs_folder, max_bytes=max_run_bytes),
        on_report,
        known,
    )
    # One byte more: a part of exactly the allowed size is not too large.
    app = web.Application(middlewares=[_answers], client_max_size=MAX_PART_BYTES + 1)
    app.router.add_post(REPORT_PATH, receiver.report)
    app.router.add_put(FILES_PATH + "/{path:.+}", receiver.put)
    app.router.add_get(FILES_PATH + "/{path:.+}", receiver.get, allow_head=False)
    return app


class _Receiver:
    def __init__(
        self,
        tokens: DriverTokens,
        files: MirrorFiles,
        on_report: Callable[[str, str], None],
        known: Known,
    ) -> None:
        self._tokens = tokens
        self._files = files
        self._on_report = on_report
        self._known = known

    async def report(self, request: web.Request) -> web.Response:
        sender = await self._sender(request)
        report = Report.model_validate_json(await _body(request))
        names = list(report.files)[:16]
        reply = await asyncio.to_thread(self._files.report, sender.uid, sender.attempt, names)
        self._on_report(sender.namespace, sender.job)
        return web.json_response(text=reply.model_dump_json(by_alias=True))

    async def put(self, request: web.Request) -> web.Response:
        sender = await self._sender(request)
        data = await _body(request)
        if len(data) > MAX_PART_BYTES:
            raise TooLargeError(f"a part must have at most {MAX_PART_BYTES} bytes")
        path, offset = request.match_info["path"], _number(request, "offset", 0)
        if request.query.get("replace") == "true":
            total = _number(request, "total", offset + len(data))
            size = await asyncio.to_thread(
                self._files.replace,
                sender.uid,
                sender.attempt,
                path,
                data,
                offset=offset,
                total=total,
            )
        else:
            size = await asyncio.to_thread(
                self._files.append, sender.uid, sender.attempt, path, data, offset=offset
            )
        if _NEWS.fullmatch(path):
            self._on_report(sender.namespace, sender.job)
        return web.json_response({"size": size})

    async def get(self, request: web.Request) -> web.Response:
        sender = await self._sender(request)
        part = await asyncio.to_thread(
            self._files.read,
            sender.uid,
            sender.attempt,
            request.match_info["path"],
            offset=_number(request, "offset", 0),
        )
        if part is None:
            return _error(404, "no_file", "there is no such file yet")
        return web.Response(body=part, content_type="application/octet-stream")

    async def _sender(self, request: web.Request) -> _Sender:
        """Who sends, once that is proven.

        Raises:
            UnauthorizedError, OtherSenderError, _UnknownAttemptError, KubeError.
        """
        at = request.match_info
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        token = token.strip() if scheme.lower() == "bearer" else ""
        await asyncio.to_thread(self._tokens.check, token, namespace=at["namespace"], job=at["job"])
        number = int(at["attempt"]) if re.fullmatch(r"[0-9]{1,4}", at["attempt"]) else 0
        sender = _Sender(at["namespace"], at["job"], at["uid"], number)
        is_known = number > 0 and await asyncio.to_thread(
            self._known, sender.namespace, sender.job, sender.uid, number
        )
        if not is_known:
            raise _UnknownAttemptError(
                f"there is no attempt {at['attempt'][:9]} of job '{at['job']}' with that uid"
            )
        # Not before it is proven: what a stranger writes is no name of a job.
        note(namespace=sender.namespace, job=sender.job, attempt=sender.attempt)
        return sender


async def _body(request: web.Request) -> bytes:
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            return await request.read()
    except TimeoutError:
        raise web.HTTPRequestTimeout from None


def _number(request: web.Request, name: str, default: int) -> int:
    text = request.query.get(name)
    if text is None:
        return default
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"{name} must be a number of bytes, got '{text[:40]}'")
    return int(text)


@web.middleware
async def _answers(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Errors as answers; what nobody expected is logged and answered with 500 by aiohttp."""
    with about():
        return await _answered(request, handler)


async def _answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException:
        raise
    except OffsetError as error:
        return web.json_response({"code": "offset", "size": error.size}, status=409)
    except tuple(_REFUSALS) as error:
        status, code = next(v for kind, v in _REFUSALS.items() if isinstance(error, kind))
        return _error(status, code, str(error))
    except ValidationError as error:
        return _error(400, "bad_report", f"the report has {error.error_count()} wrong fields")
    except ValueError as error:
        return _error(400, "bad_request", str(error))
    except (KubeError, OSError) as error:
        _log.warning("a driver was asked to come back later: %s", error)
        return _error(503, "unavailable", "try again later")


def _error(status: int, code: str, message: str) -> web.Response:
    return web.json_response({"code": code, "message": message}, status=status)
