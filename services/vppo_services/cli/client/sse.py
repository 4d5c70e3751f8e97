"""Server-sent events: bytes in, events out. No network here.

Source: WHATWG HTML, 9.2.6 "Interpreting an event stream".
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

# Not `str.splitlines`: that also splits at separators which JSON text may hold.
_LINE_END: Final = re.compile(rb"\r\n|\n|\r")


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event of a stream."""

    kind: str
    data: str
    id: str
    """Position of the stream behind this event; what `Last-Event-ID` resumes from."""


class EventReader:
    """Reads a stream in pieces of any size."""

    def __init__(self, last_id: str = "") -> None:
        self.last_id = last_id
        self.retry_seconds: float | None = None
        """Wait before a reconnect, where the server said so."""
        self._rest = b""
        self._kind = ""
        self._id = last_id
        self._data: list[str] = []

    def feed(self, piece: bytes) -> Iterator[ServerEvent]:
        """The events that this piece completes."""
        whole = self._rest + piece
        # A carriage return at the very end may be half of a line end.
        held = b"\r" if whole.endswith(b"\r") else b""
        *lines, self._rest = _LINE_END.split(whole[: len(whole) - len(held)])
        self._rest += held
        for line in lines:
            event = self._line(line.decode("utf-8", "replace"))
            if event is not None:
                yield event

    def _line(self, line: str) -> ServerEvent | None:
        if not line:
            return self._dispatch()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            self._kind = value
        elif name == "data":
            self._data.append(value)
        elif name == "id" and "\0" not in value:
            self._id = value
        elif name == "retry" and value.isascii() and value.isdigit():
            self.retry_seconds = int(value) / 1000.0
        return None

    def _dispatch(self) -> ServerEvent | None:
        # Only now: a stream cut in the middle of an event must replay that event.
        self.last_id = self._id
        kind, data = self._kind or "message", "\n".join(self._data)
        has_data = bool(self._data)
        self._kind, self._data = "", []
        return (
            ServerEvent(kind, data, self.last_id) if has_data or kind in ("end", "reset") else None
        )
