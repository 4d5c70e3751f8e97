"""What can go wrong between the client and the API, each kind with an exit code of its own."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from vppo_core.errors import VPPOError

PERMISSION_STATUSES: Final = (401, 403)
CONFLICT_STATUSES: Final = (409, 412)
AWAY_STATUSES: Final = (429, 502, 503, 504)
UNREACHABLE: Final = "unreachable"
INTERRUPTED: Final = "interrupted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the API said about a request that it refused, for programs."""

    status: int = 0
    """HTTP status; 0 where nobody answered."""

    code: str = "unknown"
    """One of the API's codes, such as `not_found`."""

    param: str = ""
    """The field of the request that is wrong, such as `rollout.groupSize`."""

    hint: str = ""
    """What would cure it."""

    request_id: str = ""
    """What the server's log knows the request by."""

    retry_after_seconds: float | None = None
    """When to try again, where the server said so."""


class ApiProblem(VPPOError):
    """A request that the API refused. Made as `ApiProblem(sentence, facts)`."""

    @property
    def facts(self) -> Facts:
        """All that is known of it."""
        found = self.args[1] if len(self.args) > 1 else None
        return found if isinstance(found, Facts) else Facts()

    @property
    def status(self) -> int:
        """HTTP status; 0 where nobody answered."""
        return self.facts.status

    @property
    def code(self) -> str:
        """One of the API's codes, such as `not_found`."""
        return self.facts.code

    @property
    def param(self) -> str:
        """The field of the request that is wrong, or nothing."""
        return self.facts.param

    @property
    def hint(self) -> str:
        """What would cure it, or nothing."""
        return self.facts.hint

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class BadRequestProblem(ApiProblem):
    """The request is wrong as it stands; repeating it changes nothing."""

    exit_code = 2


class NotFoundProblem(ApiProblem):
    """There is no such thing."""

    exit_code = 4


class ConflictProblem(ApiProblem):
    """It clashes with what is there: a name, a key, a version, the state of the job."""

    exit_code = 5


class ServerAwayProblem(ApiProblem):
    """Nobody answered, or the server cannot do it now."""

    exit_code = 6


class PermissionProblem(ApiProblem):
    """The caller is not known, or may not do that."""

    exit_code = 7


def problem_of(status: int, headers: Mapping[str, str], body: bytes, *, address: str) -> ApiProblem:
    """The error that a reply stands for, whether or not it is a proper problem document."""
    document = _document(body)
    facts = Facts(
        status=status,
        code=str(document.get("code") or "unknown"),
        param=str(document.get("param") or ""),
        hint=str(document.get("hint") or ""),
        request_id=str(document.get("requestId") or headers.get("x-request-id", "")),
        retry_after_seconds=retry_after(headers),
    )
    sentence = _sentence(document)
    if not sentence:
        other = headers.get("location", "")
        cure = f"did you mean '{other}'?" if other else "check --server, and what answers there"
        sentence = f"--server must be the address of a vppo API, got status {status} without a "
        sentence += f"reason from '{address}'; {cure}"
        return (ServerAwayProblem if status < 500 else ApiProblem)(sentence, facts)
    return _kind_of(status)(sentence, facts)


def unreachable(address: str, reason: str) -> ApiProblem:
    """Nobody listens there: the request was not sent."""
    return ServerAwayProblem(
        f"the server must be reachable at '{address}', got no connection "
        f"({_plain(reason)}); start it with `vppo serve`, or give --server",
        Facts(code=UNREACHABLE),
    )


def interrupted(address: str, reason: str) -> ApiProblem:
    """The connection ended before the answer: whether the request was carried out is not known."""
    return ServerAwayProblem(
        f"the server at '{address}' must answer, got none ({_plain(reason)}); "
        "look whether `vppo serve` still runs, and try again",
        Facts(code=INTERRUPTED),
    )


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds of a `Retry-After`; a date, or nonsense, counts as none."""
    try:
        seconds = float(headers.get("retry-after", ""))
    except ValueError:
        return None
    return seconds if 0.0 <= seconds < float("inf") else None


def _plain(reason: str) -> str:
    return re.sub(r"^\[Errno -?\d+\] ", "", reason)


def _kind_of(status: int) -> type[ApiProblem]:
    if status in PERMISSION_STATUSES:
        return PermissionProblem
    if status in (404, 410):
        return NotFoundProblem
    if status in CONFLICT_STATUSES:
        return ConflictProblem
    if status in AWAY_STATUSES:
        return ServerAwayProblem
    return BadRequestProblem if 400 <= status < 500 else ApiProblem


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _sentence(document: dict[str, Any]) -> str:
    errors = document.get("errors")
    entries = [one for one in errors if isinstance(one, dict)] if isinstance(errors, list) else []
    lines = [line for line in map(_line, entries) if line]
    # One entry says the same as the document itself.
    if len(lines) > 1:
        return "\n".join(lines)
    return _line(document)


def _line(entry: dict[str, Any]) -> str:
    detail = str(entry.get("detail") or entry.get("title") or "")
    hint = str(entry.get("hint") or "")
    return detail if not hint or hint in detail else f"{detail}; {hint}"
