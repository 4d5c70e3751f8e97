"""Growing line files read from where a reader left off.

A position names a byte and what stands before it: a resumed attempt cuts the file and writes other
lines in the same place, and a reader that was further on must begin again.
"""

import re
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final, TypeVar

from vppo_core.archive.errors import BadCursorError
from vppo_core.archive.run_records import Lines

Line = TypeVar("Line")

MAX_LINE_BYTES: Final = 1_048_576
"""Longer lines are passed over."""

MAX_PAGE_BYTES: Final = 8 * MAX_LINE_BYTES
_CHECKED_BYTES: Final = 512
_POSITION: Final = re.compile(r"([0-9a-f]{1,15})\.([0-9a-f]{8})")


def read_lines(
    path: Path, parse: Callable[[bytes], Line | None], *, after: str, limit: int
) -> Lines[Line]:
    """At most `limit` lines behind a position; "" is the beginning.

    Args:
        parse: the value of a line, or None where it holds none.

    Raises:
        BadCursorError: a position that no reply gave.
    """
    offset, checksum = _parsed(after)
    try:
        stream = path.open("rb")
    except OSError:
        return Lines(items=(), positions=(), end=after)
    with stream:
        is_reset = offset > 0 and _checksum(stream, offset) != checksum
        offset = 0 if is_reset else offset
        items, ends, end = _read(stream, parse, offset, limit)
        positions = tuple(_position(stream, one) for one in ends)
        return Lines(
            items=tuple(items), positions=positions, end=_position(stream, end), is_reset=is_reset
        )


def _read(
    stream: BinaryIO, parse: Callable[[bytes], Line | None], offset: int, limit: int
) -> tuple[list[Line], list[int], int]:
    """Values, the offset behind each, and that behind the last complete line read."""
    items: list[Line] = []
    ends: list[int] = []
    stream.seek(offset)
    end = here = offset
    is_whole = True
    while len(items) < limit and here - offset < MAX_PAGE_BYTES:
        text = stream.readline(MAX_LINE_BYTES)
        here += len(text)
        if not text.endswith(b"\n"):
            if len(text) < MAX_LINE_BYTES:
                break  # it is still being written
            is_whole = False
            continue
        end = here
        value = parse(text) if is_whole else None
        is_whole = True
        if value is not None:
            items.append(value)
            ends.append(end)
    return items, ends, end


def _parsed(after: str) -> tuple[int, int]:
    if not after:
        return 0, 0
    match = _POSITION.fullmatch(after)
    if match is None:
        raise BadCursorError(
            f"a position must come from an earlier reply, got '{after[:60]}'; leave it out to "
            "begin at the start"
        )
    return int(match[1], 16), int(match[2], 16)


def _position(stream: BinaryIO, offset: int) -> str:
    return f"{offset:x}.{_checksum(stream, offset):08x}" if offset else ""


def _checksum(stream: BinaryIO, offset: int) -> int | None:
    """Of the bytes right before an offset; None when the file is shorter."""
    start = max(0, offset - _CHECKED_BYTES)
    stream.seek(start)
    text = stream.read(offset - start)
    return zlib.crc32(text) if len(text) == offset - start else None
