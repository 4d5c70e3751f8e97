"""Versions of a job as HTTP has them: `ETag`, `If-None-Match`, `If-Match`."""

import re
from typing import Final

from vppo_core.archive.errors import StaleVersionError
from vppo_core.archive.records import JobRecord
from vppo_services.api.errors import ApiError

_UID_CHARACTERS: Final = 8
_IF_MATCH: Final = re.compile(r'^"(?:(?P<uid>[0-9a-z]{1,8})-)?(?P<version>[0-9]{1,18})"$')


def etag_of(record: JobRecord) -> str:
    """The version of a job; a later job of the same name has another one."""
    return f'"{_short(record.uid)}-{record.version}"'


def is_known(record: JobRecord, if_none_match: str) -> bool:
    """Whether the caller has this version already."""
    tags = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    return "*" in tags or etag_of(record) in tags


def version_of(record: JobRecord, if_match: str | None) -> int | None:
    """The version that the caller changes, from an ETag or a quoted `resourceVersion`; None is
    any.

    Raises:
        ApiError: 422, it is neither.
        StaleVersionError: it is of another job of that name.
    """
    if if_match is None or if_match.strip() == "*":
        return None
    found = _IF_MATCH.match(if_match.strip())
    if found is None:
        raise ApiError(
            422,
            "invalid_request",
            f"If-Match must be one ETag of a job, got {if_match[:80]}; "
            f"send {etag_of(record)}, or leave it out",
            param="If-Match",
        )
    if found["uid"] not in (None, _short(record.uid)):
        raise StaleVersionError(
            f"If-Match must be of the newest job '{record.name}', got one of an earlier job; "
            "read the job again and repeat the change"
        )
    return int(found["version"])


def _short(uid: str) -> str:
    return re.sub(r"[^0-9a-z]", "", uid.lower())[:_UID_CHARACTERS]
