"""Where the next page of a list begins, as text that means nothing to anybody else."""

import base64
import binascii
import hashlib
import json
from dataclasses import asdict
from datetime import datetime
from typing import Final

from vppo_core.archive.columns import EPOCH, MICROSECOND, microseconds
from vppo_core.archive.errors import BadCursorError, CursorMismatchError
from vppo_core.archive.records import JobQuery

_DIGEST_BYTES: Final = 6
_NOT_FILTERS: Final = ("limit", "cursor")

Position = tuple[datetime, str]
"""When the last job of the page was created, and its uid."""


def cursor_after(position: Position, query: JobQuery) -> str:
    """The cursor of the page behind this position of the same list."""
    created, uid = position
    body = json.dumps([microseconds(created), uid]).encode()
    content = _filter_digest(query) + body
    return base64.urlsafe_b64encode(_digest(content) + content).decode().rstrip("=")


def position_of(query: JobQuery) -> Position | None:
    """What the query's cursor says; None where it has none.

    Raises:
        BadCursorError: no reply gave this cursor.
        CursorMismatchError: it belongs to a list with other filters.
    """
    if query.cursor is None:
        return None
    try:
        padded = query.cursor + "=" * (-len(query.cursor) % 4)
        raw = base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise _bad_cursor() from None
    seal, content = raw[:_DIGEST_BYTES], raw[_DIGEST_BYTES:]
    # Spare bits of the last sign: there is one way to write a cursor.
    if _digest(content) != seal or base64.urlsafe_b64encode(raw).decode() != padded:
        raise _bad_cursor()
    filters, body = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    if filters != _filter_digest(query):
        raise CursorMismatchError(
            "cursor must come with the filters of the reply that gave it, got others; "
            "repeat these filters, or leave the cursor out to begin anew"
        )
    created, uid = json.loads(body)
    return EPOCH + created * MICROSECOND, uid


def _bad_cursor() -> BadCursorError:
    return BadCursorError(
        "cursor must be the nextCursor of an earlier reply, got something else; "
        "leave it out to begin anew"
    )


def _digest(content: bytes) -> bytes:
    """Finds mistakes, not forgers: a cursor opens nothing that the list does not show."""
    return hashlib.sha256(b"vppo-cursor" + content).digest()[:_DIGEST_BYTES]


def _filter_digest(query: JobQuery) -> bytes:
    filters = {name: value for name, value in asdict(query).items() if name not in _NOT_FILTERS}
    for name in ("phases", "labels", "annotations"):
        filters[name] = sorted(filters[name])
    text = json.dumps(filters, default=lambda moment: microseconds(moment), sort_keys=True)
    return _digest(text.encode())
