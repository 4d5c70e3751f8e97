"""What can go wrong with a request, as the one form in which it is told: RFC 9457 problem JSON."""

import json
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final

from vppo_core.archive.errors import StoreError, StoreUnavailableError
from vppo_core.errors import InvalidSpecError, VPPOError

MEDIA_TYPE: Final = "application/problem+json"
TYPE_PREFIX: Final = "urn:vppo:problem:"

CODES: Final = MappingProxyType(
    {
        "bad_cursor": "A cursor that no reply gave.",
        "cursor_mismatch": "A cursor of a list with other filters.",
        "malformed_request": "The request cannot be read as HTTP.",
        "unauthenticated": "A token is needed, or is not known.",
        "forbidden": "The caller may not do this.",
        "not_local": "Without tokens only programs of this machine are served.",
        "cross_origin": "A page of another origin asked for a change.",
        "not_found": "There is no such job, checkpoint, file, webhook or delivery.",
        "no_such_route": "There is no such path.",
        "method_not_allowed": "The path has no such method.",
        "not_acceptable": "The reply has no such media type.",
        "name_taken": "A living job has that name.",
        "idempotency_conflict": "The key was used with another job.",
        "stale_version": "The job was changed since it was read.",
        "not_allowed_now": "The state of the job does not allow this.",
        "plan_changed": "The plan that was agreed to no longer holds.",
        "too_large": "The body is larger than a job can be.",
        "unsupported_media_type": "The body is of a type that is not read here.",
        "invalid_spec": "The job cannot be run as written.",
        "invalid_request": "A parameter, a header or the body breaks a rule.",
        "rate_limited": "More requests than a caller may make.",
        "too_many_streams": "More open streams than a caller may have.",
        "internal": "A fault of the server.",
        "store_unavailable": "The database is away; nothing was done.",
    }
)
"""All codes of problems, and what each means."""

_STATUS_OF: Final = MappingProxyType(
    {
        "not_found": 404,
        "name_taken": 409,
        "idempotency_conflict": 409,
        "stale_version": 409,
        "not_allowed_now": 409,
        "bad_cursor": 400,
        "cursor_mismatch": 400,
        "store_unavailable": 503,
    }
)
_RULE: Final = re.compile(r"^(?P<path>[A-Za-z][\w.\[\]/-]*) (?:must |is not a field )")
_FIELD: Final = re.compile(r"^(?P<path>[a-z]\w*(?:\.[\w/-]+)+) ")


class ApiError(Exception):
    """A request that is refused; the application turns it into a problem reply."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        param: str = "",
        hint: str = "",
        headers: Mapping[str, str] = MappingProxyType({}),
        errors: Sequence[Mapping[str, str]] = (),
    ) -> None:
        """Say what is wrong.

        Args:
            code: one of `CODES`.
            detail: one sentence: rule, value, cure.
            param: the user's path of what is wrong, such as `rollout.groupSize`.
            hint: the cure alone; by default what stands behind the last `; ` of `detail`.
            headers: to send along.
            errors: one entry for each broken rule, where there are several.
        """
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.param = param
        self.hint = hint or cure_of(detail)
        self.headers = headers
        self.errors = tuple(errors)


def cure_of(sentence: str) -> str:
    """What stands behind the last `; `; empty where there is none."""
    _, found, cure = sentence.rpartition("; ")
    return cure if found else ""


def path_of(sentence: str) -> str:
    """The field that a sentence starts with; empty where it starts with another word."""
    found = _RULE.match(sentence) or _FIELD.match(sentence)
    return found["path"] if found else ""


def problem_of(error: VPPOError) -> ApiError:
    """The reply that an error of the rest of the program stands for."""
    sentence = str(error)
    if isinstance(error, InvalidSpecError):
        return invalid_spec(sentence)
    param = path_of(sentence)
    if not isinstance(error, StoreError):
        return ApiError(422, "invalid_request", sentence, param=param)
    headers = {}
    if isinstance(error, StoreUnavailableError):
        headers["Retry-After"] = str(error.retry_after_seconds)
    status = _STATUS_OF[error.code]
    return ApiError(status, error.code, sentence, param=param, headers=headers)


def invalid_spec(sentences: str) -> ApiError:
    """The reply for a job that breaks rules, one a line."""
    lines = sentences.split("\n")
    return invalid("invalid_spec", [(path_of(line), line) for line in lines])


def invalid(code: str, broken: Sequence[tuple[str, str]]) -> ApiError:
    """The reply for broken rules: each the field and the sentence about it. The first one stands
    in front, `errors` has all."""
    param, sentence = broken[0]
    errors = [{"param": field, "detail": line, "hint": cure_of(line)} for field, line in broken]
    return ApiError(422, code, sentence, param=param, errors=errors)


def no_token(got: str = "none") -> ApiError:
    """The reply for a request without a token that is known."""
    return ApiError(
        401,
        "unauthenticated",
        f"a request must carry a known token, got {got}; send `Authorization: Bearer TOKEN`",
        param="Authorization",
        headers={"WWW-Authenticate": 'Bearer realm="vppo"'},
    )


def problem_json(error: ApiError, *, instance: str, request_id: str) -> bytes:
    """The problem document.

    Args:
        instance: path of the request.
        request_id: what the server's log knows the request by.
    """
    document: dict[str, Any] = {
        "type": f"{TYPE_PREFIX}{error.code}",
        "title": CODES.get(error.code) or HTTPStatus(error.status).phrase,
        "status": error.status,
        "detail": error.detail,
        "instance": instance,
        "code": error.code,
        "param": error.param,
        "hint": error.hint,
        "requestId": request_id,
    }
    if error.errors:
        document["errors"] = list(error.errors)
    return json.dumps(document).encode()
