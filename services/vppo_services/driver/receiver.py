"""The operator's receiver as the driver calls it: what a status means, and nothing more."""

import ssl
from pathlib import Path
from typing import Any, Final

import httpx

from vppo_core.runs.protocol import (
    FILES_PATH,
    MAX_PART_BYTES,
    REFUSED_PATH,
    REPORT_PATH,
    UNKNOWN_ATTEMPT,
    AttemptFile,
    Report,
    ReportReply,
)

TIMEOUT_SECONDS: Final = 10.0


class AwayError(Exception):
    """The receiver does not answer, or not now; try again later."""


class GoneError(Exception):
    """The receiver knows no such attempt: the job was deleted."""


class RefusedError(Exception):
    """This file is not kept; it need not be sent again."""


class OffsetError(Exception):
    """The receiver has another length of the file than was thought."""


class Receiver:
    """Calls for one attempt; from one thread at a time."""

    def __init__(self, attempt: AttemptFile, *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        """Nothing is sent or read yet.

        Args:
            timeout_seconds: of connecting, and of each wait for an answer.
        """
        self._attempt = attempt
        self._timeout = timeout_seconds
        self._client: httpx.Client | None = None
        facts = {
            "namespace": attempt.namespace,
            "job": attempt.job,
            "uid": attempt.uid,
            "attempt": attempt.attempt,
        }
        self._report = REPORT_PATH.format(**facts)
        self._files = FILES_PATH.format(**facts)

    def report(self, report: Report) -> ReportReply:
        """Say that the driver lives; what the receiver has and wants.

        Raises:
            AwayError, GoneError: of every method.
        """
        answer = self._call("POST", self._report, content=report.model_dump_json(by_alias=True))
        try:
            return ReportReply.model_validate_json(answer.content)
        except ValueError as error:
            raise AwayError(f"it answers what no receiver says: {error}") from error

    def append(self, path: str, data: bytes, *, offset: int) -> None:
        """Add at most 1 MiB to the end of a file that has `offset` bytes there.

        Raises:
            RefusedError, OffsetError: nothing was taken.
        """
        self._call("PUT", f"{self._files}/{path}", content=data, params={"offset": offset})

    def replace(self, path: str, data: bytes) -> None:
        """Replace a file; a reader sees the old content or the new one.

        Raises:
            RefusedError, OffsetError: the old content stands.
        """
        for offset in range(0, max(1, len(data)), MAX_PART_BYTES):
            self._call(
                "PUT",
                f"{self._files}/{path}",
                content=data[offset : offset + MAX_PART_BYTES],
                params={"offset": offset, "replace": "true", "total": len(data)},
            )

    def read(self, path: str) -> bytes | None:
        """A file as the receiver has it; None when it has none.

        Raises:
            RefusedError: it is not given back.
        """
        parts: list[bytes] = []
        size = 0
        while True:
            answer = self._call("GET", f"{self._files}/{path}", params={"offset": size})
            if answer.status_code == 404:
                return None
            if not answer.content:
                return b"".join(parts)
            parts.append(answer.content)
            size += len(answer.content)

    def close(self) -> None:
        """Let go of the connection."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _call(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            # Read each time: the token on disk is renewed while the driver runs.
            token = Path(self._attempt.token_file).read_text(encoding="ascii").strip()
            if self._client is None:
                self._client = self._opened()
            answer = self._client.request(
                method, path, headers={"Authorization": f"Bearer {token}"}, **options
            )
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            self.close()
            raise AwayError(f"{type(error).__name__}: {error}") from error
        if answer.is_success:
            return answer
        return _refusal(method, answer)

    def _opened(self) -> httpx.Client:
        trusted = ssl.create_default_context(cafile=self._attempt.ca_file or None)
        # A proxy of the environment is for the world outside, not for a service of the cluster.
        return httpx.Client(
            base_url=self._attempt.receiver, timeout=self._timeout, verify=trusted, trust_env=False
        )


def _refusal(method: str, answer: httpx.Response) -> httpx.Response:
    """Raise what a refusal means; a file that is not there is no refusal."""
    status, (code, message) = answer.status_code, _code(answer)
    if status == 404 and code == UNKNOWN_ATTEMPT:
        raise GoneError(message)
    if status == 404 and code == "no_file" and method == "GET":
        return answer
    if status == 409 and method == "PUT":
        raise OffsetError(message)
    if status == 413 or (status == 403 and code == REFUSED_PATH):
        raise RefusedError(message or f"status {status}")
    raise AwayError(f"status {status}: {message}" if message else f"status {status}")


def _code(answer: httpx.Response) -> tuple[str, str]:
    """`code` and `message` of an answer; empty when it is none of a receiver."""
    try:
        body = answer.json()
        return str(body.get("code", "")), str(body.get("message", ""))[:300]
    except (ValueError, AttributeError):
        return "", ""
