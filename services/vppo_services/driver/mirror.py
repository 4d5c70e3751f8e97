"""Which files of a run folder the operator has to get, in which order, and which it has."""

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from vppo_core.runs.protocol import MAX_PART_BYTES, ReportReply, tail
from vppo_services.driver.receiver import OffsetError, Receiver, RefusedError

_log = logging.getLogger(__name__)

_HISTORY: Final = ("checkpoints.jsonl", "metrics.jsonl", "log.jsonl", "quarantine.jsonl")
_SMALL: Final = ("job.json", "metrics.json", "summary.json")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a run folder says at one moment."""

    progress: bytes | None
    exit: bytes | None
    sizes: dict[str, int]
    """Bytes of each file that is appended to."""


class Mirror:
    """Brings the files of one attempt to the receiver; remembers what arrived."""

    def __init__(
        self, folder: Path, attempt: int, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Nothing is read yet.

        Args:
            folder: of the run.
            clock: seconds, for the time that large files may take.
        """
        self._folder = folder
        self._own = f"attempts/{attempt}"
        self._clock = clock
        self._mark = ""
        self._sent: dict[str, tuple[int, int] | bytes] = {}
        self._refused: set[str] = set()

    def look(self) -> Snapshot:
        """Read what the attempt says of itself, before what it refers to: nothing that it names
        can be missing among the files that are sent first."""
        ending = _content(self._folder / f"{self._own}/exit.json")
        progress = _content(self._folder / f"{self._own}/progress.json")
        sizes = {}
        for name in (*_HISTORY, f"{self._own}/driver.out"):
            size = _size(self._folder / name)
            if size is not None:
                sizes[name] = size
        return Snapshot(progress=progress, exit=ending, sizes=sizes)

    def deliver(
        self, receiver: Receiver, snapshot: Snapshot, reply: ReportReply, *, bulk_seconds: float
    ) -> bool:
        """Send what the receiver lacks: checkpoints, then progress, then all else, the exit last.

        Args:
            bulk_seconds: after these, large files wait for the next round.

        Returns:
            Whether it has all of the snapshot now.

        Raises:
            AwayError, GoneError: what was not sent yet stays to be sent.
        """
        if reply.mirror != self._mark:
            self._sent.clear()  # the operator's folder is another one, and empty
            self._mark = reply.mirror
        checkpoints, *others = _HISTORY
        done = [self._grown(receiver, checkpoints, reply)]
        done.append(self._said(receiver, f"{self._own}/progress.json", snapshot.progress))
        done += [
            self._grown(receiver, name, reply) for name in (*others, f"{self._own}/driver.out")
        ]
        done += [
            self._changed(receiver, name) for name in (*_SMALL, f"{self._own}/environment.json")
        ]
        until = self._clock() + bulk_seconds
        for name in self._bulk():
            done.append(self._clock() < until and self._changed(receiver, name))
        done.append(self._said(receiver, f"{self._own}/exit.json", snapshot.exit))
        return all(done)

    def _bulk(self) -> Iterator[str]:
        yield "report.html"
        for path in sorted((self._folder / "spotlight").glob("step-*.json")):
            yield f"spotlight/{path.name}"

    def _grown(self, receiver: Receiver, name: str, reply: ReportReply) -> bool:
        """Send the end of a file, or the whole of one that is no longer what was sent."""
        if name in self._refused:
            return True
        try:
            with (self._folder / name).open("rb") as stream:
                size, known = stream.seek(0, 2), reply.sizes.get(name, 0)
                is_grown = known == 0 or (
                    known <= size and tail(stream, known) == reply.tails.get(name)
                )
                stream.seek(known if is_grown else 0)
                if not is_grown:
                    return self._ask(partial(receiver.replace, name, stream.read(size)), name)
                for offset in range(known, size, MAX_PART_BYTES):
                    data = stream.read(min(MAX_PART_BYTES, size - offset))
                    if not self._ask(partial(receiver.append, name, data, offset=offset), name):
                        return False
                    if name in self._refused:
                        break
        except FileNotFoundError:
            pass
        return True

    def _changed(self, receiver: Receiver, name: str) -> bool:
        """Send a file that is not the one that was sent last."""
        path = self._folder / name
        try:
            facts = path.stat()
            state = (facts.st_mtime_ns, facts.st_size)
            if name in self._refused or self._sent.get(name) == state:
                return True
            data = path.read_bytes()
        except FileNotFoundError:
            return True
        if not self._ask(partial(receiver.replace, name, data), name):
            return False
        self._sent[name] = state
        return True

    def _said(self, receiver: Receiver, name: str, content: bytes | None) -> bool:
        if content is None or self._sent.get(name) == content:
            return True
        if not self._ask(partial(receiver.replace, name, content), name):
            return False
        self._sent[name] = content
        return True

    def _ask(self, send: Callable[[], None], name: str) -> bool:
        """Whether nothing is left to do; a large file that is refused is not offered again."""
        try:
            send()
        except OffsetError:
            return False
        except RefusedError as error:
            if not self._refused:
                _log.warning("the operator does not keep '%s' and the like: %s", name, error)
            self._refused.add(name)
        return True


def restore(folder: Path, receiver: Receiver, *, is_late: Callable[[], bool]) -> list[str]:
    """Fetch the history of a run into a folder that has none; names of what was fetched.

    Args:
        is_late: whether the files are written by now, and must be left alone.

    Raises:
        AwayError, GoneError, RefusedError, OSError: some files may have been fetched.
    """
    fetched = []
    for name in _HISTORY:
        path = folder / name
        if path.exists():
            continue
        content = receiver.read(name)
        if content is not None and not is_late():
            part = path.with_name(path.name + ".part")
            part.write_bytes(content)
            part.replace(path)
            fetched.append(name)
    return fetched


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None
