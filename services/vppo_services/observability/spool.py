"""A bounded queue of JSON records on disk that outlives the process.

Records are lines of numbered segment files; a small file holds how far they were delivered. The
newest segment is never removed, so what was last written can be read back after a restart.
"""

import json
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

Record = dict[str, Any]

_SEGMENTS: Final = 16  # a full spool loses a sixteenth of itself at a time


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place between two records: segment number and byte offset in its file."""

    segment: int
    offset: int


@dataclass(frozen=True, slots=True)
class Batch:
    """The oldest undelivered records, and the position after each of them."""

    records: list[Record]
    ends: list[Position]


class Spool:
    """Append-only, in order, bounded. No disk error is ever raised: what is lost is counted."""

    def __init__(
        self, folder: Path, *, max_bytes: int, before_segment: Callable[[], None] | None = None
    ) -> None:
        """Open the spool of `folder`, with whatever an earlier process left in it.

        Args:
            max_bytes: room for all segments together; beyond it the oldest is dropped.
            before_segment: called before a segment is begun: the one before may be removed from
                then on. It may not use the spool, nor raise.
        """
        self._folder = folder
        self._before_segment = before_segment
        self._max_bytes = max_bytes
        self._segment_bytes = max(4096, max_bytes // _SEGMENTS)
        self._lock = threading.Lock()
        self._sizes: dict[int, int] = {}  # bytes of whole records by segment
        self._counts: dict[int, int] = {}  # undelivered records by segment
        self._sent = Position(0, 0)
        self._dropped = 0
        self._writer: BinaryIO | None = None
        try:
            self._recover()
        except OSError:
            self._dropped += 1

    @property
    def pending(self) -> int:
        """Records not delivered yet."""
        with self._lock:
            return sum(self._counts.values())

    @property
    def dropped(self) -> int:
        """Records lost since this process opened the spool."""
        with self._lock:
            return self._dropped

    def append(self, record: Record) -> bool:
        """Add a record; False when it, being larger than a segment or the disk full, was lost."""
        line = (json.dumps(record, separators=(",", ":")) + "\n").encode()
        with self._lock:
            try:
                if len(line) > self._segment_bytes:
                    raise OSError(f"a record of {len(line)} bytes is larger than a segment")
                self._write(line)
            except OSError:
                self._dropped += 1
                return False
            self._shrink()
            return True

    def peek(self, limit: int) -> Batch:
        """Up to `limit` of the oldest undelivered records, which stay; a damaged one is empty."""
        records: list[Record] = []
        ends: list[Position] = []
        with self._lock:
            for number in sorted(self._sizes):
                if len(records) >= limit or number < self._sent.segment:
                    continue
                start = self._sent.offset if number == self._sent.segment else 0
                for record, end in self._read(number, start, limit - len(records)):
                    records.append(record)
                    ends.append(Position(number, end))
        return Batch(records, ends)

    def commit(self, position: Position, *, lost: int = 0) -> None:
        """Forget the records before `position`: delivered, except `lost` that were refused."""
        with self._lock:
            self._dropped += lost
            if position <= self._sent:  # dropped meanwhile, to make room
                return
            for number in sorted(self._sizes):
                if number < position.segment:
                    self._counts[number] = 0
            start = self._sent.offset if self._sent.segment == position.segment else 0
            done = len(self._lines(position.segment, start, position.offset))
            self._counts[position.segment] -= done
            self._sent = position
            self._save_position()
            self._remove_delivered()

    def retained(self) -> list[Record]:
        """Every record still on disk, delivered ones of the newest segments included."""
        with self._lock:
            return [
                record
                for number in sorted(self._sizes)
                for record, _ in self._read(number, 0, limit=2**31)
            ]

    def close(self) -> None:
        """Close the open file; everything else is on disk already."""
        with self._lock:
            if self._writer is not None:
                self._writer.close()
                self._writer = None

    def _recover(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        state = self._folder / "sent.json"
        if state.exists():
            with suppress(ValueError, TypeError):  # unreadable: all is delivered again
                self._sent = Position(**json.loads(state.read_text(encoding="utf-8")))
        for path in sorted(self._folder.glob("*.jsonl")):
            number = int(path.stem)
            raw = path.read_bytes()
            whole = raw.rfind(b"\n") + 1
            if whole < len(raw):  # torn by a kill
                os.truncate(path, whole)
            self._sizes[number] = whole
            self._counts[number] = 0
            if number >= self._sent.segment:
                start = self._sent.offset if number == self._sent.segment else 0
                self._counts[number] = raw.count(b"\n", start, whole)

    def _write(self, line: bytes) -> None:
        newest = max(self._sizes, default=self._sent.segment)
        if not self._sizes or self._sizes[newest] + len(line) > self._segment_bytes:
            if self._writer is not None:
                self._writer.close()
                self._writer = None
            if self._sizes and self._before_segment is not None:
                self._before_segment()
            newest += 1
        if self._writer is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._writer = self._path(newest).open("ab", buffering=0)
            self._sizes.setdefault(newest, 0)
            self._counts.setdefault(newest, 0)
        size = self._sizes[newest]
        written = 0
        try:
            while written < len(line):
                written += self._writer.write(line[written:])
        except OSError:
            self._writer.truncate(size)  # no half a line before the next record
            raise
        self._sizes[newest] = size + len(line)
        self._counts[newest] += 1

    def _shrink(self) -> None:
        while len(self._sizes) > 1 and sum(self._sizes.values()) > self._max_bytes:
            oldest = min(self._sizes)
            self._dropped += self._counts[oldest]
            self._sent = max(self._sent, Position(oldest + 1, 0))
            self._forget(oldest)
            self._save_position()

    def _remove_delivered(self) -> None:
        newest = max(self._sizes)
        for number in [n for n in self._sizes if n < min(self._sent.segment, newest)]:
            self._forget(number)

    def _forget(self, number: int) -> None:
        del self._sizes[number], self._counts[number]
        with suppress(OSError):  # a file that cannot be removed takes room, and loses nothing
            self._path(number).unlink(missing_ok=True)

    def _save_position(self) -> None:
        part = self._folder / "sent.json.part"
        state = {"segment": self._sent.segment, "offset": self._sent.offset}
        with suppress(OSError):  # then it is delivered again after a restart, and found equal
            part.write_text(json.dumps(state), encoding="utf-8")
            os.replace(part, self._folder / "sent.json")

    def _read(self, number: int, start: int, limit: int) -> list[tuple[Record, int]]:
        found: list[tuple[Record, int]] = []
        end = start
        for line in self._lines(number, start, self._sizes[number]):
            end += len(line)
            if len(found) >= limit:
                break
            record: Record = {}  # stays so where the line is damaged
            with suppress(ValueError):
                record = json.loads(line)
            found.append((record, end))
        return found

    def _lines(self, number: int, start: int, stop: int) -> list[bytes]:
        try:
            with self._path(number).open("rb") as file:
                file.seek(start)
                return file.read(stop - start).splitlines(keepends=True)
        except OSError:
            return []

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:08d}.jsonl"
