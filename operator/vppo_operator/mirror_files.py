"""Run folders as drivers send them: appended or replaced, never beyond their limits or place."""

import os
import secrets
import stat
import threading
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vppo_core.runs.files import StopFile
from vppo_core.runs.folder import RunFolder
from vppo_core.runs.protocol import (
    MAX_FILES,
    MAX_PART_BYTES,
    MAX_RUN_BYTES,
    RESERVED_BYTES,
    RESERVED_FILES,
    ReportReply,
    is_appended,
    is_mirrored,
    is_of_attempt,
    is_restored,
    is_vital,
    tail,
)
from vppo_core.runs.writing import write_atomically

_LOCKS: Final = 64
_REMEMBERED_RUNS: Final = 4096
_MARK: Final = ".mirror"
_PART: Final = ".part-"


class RefusedPathError(Exception):
    """The file is none of those that are kept, or its place is not an ordinary one."""


class TooLargeError(Exception):
    """The run would have more bytes or files than are kept."""


class OffsetError(Exception):
    """The part does not begin where the file ends; `size` is where it does."""

    def __init__(self, size: int) -> None:
        super().__init__(f"the part must begin at {size}")
        self.size = size


@dataclass(slots=True)
class _Usage:
    size: int = 0
    files: int = 0


class MirrorFiles:
    """The run folders below one folder. Methods block; they may be called from several threads."""

    def __init__(self, jobs_folder: Path, *, max_bytes: int = MAX_RUN_BYTES) -> None:
        """Nothing is read or written yet.

        Args:
            max_bytes: of one run; vital files may go beyond it by a reserve.
        """
        self._jobs_folder = jobs_folder
        self._max_bytes = max_bytes
        self._locks = tuple(threading.Lock() for _ in range(_LOCKS))
        self._usage: dict[str, _Usage] = {}

    def report(self, uid: str, attempt: int, names: list[str]) -> ReportReply:
        """What is there of an attempt and of the files that its driver appends to.

        Also notes that the driver lives: the time of `launched` is that of its last report.

        Raises:
            OSError: the disk is full or refuses.
            JobNotFoundError: the uid is none.
        """
        run = RunFolder.of(self._jobs_folder, uid)
        sizes, tails = {}, {}
        with self._lock(uid):
            run.attempt(attempt).mkdir(parents=True, exist_ok=True)
            run.launched(attempt).touch()
            for name in names:
                if not is_appended(name) or not is_of_attempt(name, attempt):
                    continue
                sizes[name], tails[name] = _measured(run.path / name)
            stop = StopFile.read(run.stop(attempt))
            return ReportReply(stop=stop, sizes=sizes, tails=tails, mirror=self._mark(uid, run))

    def append(self, uid: str, attempt: int, name: str, data: bytes, *, offset: int) -> int:
        """Add a part to the end of a file; its new size.

        Raises:
            RefusedPathError, OffsetError, TooLargeError: nothing was written.
            OSError: the disk is full or refuses; the file is as it was.
        """
        with self._lock(uid):
            if not is_appended(name):
                raise RefusedPathError(f"'{name[:200]}' is no file that grows by its end")
            path = self._place(uid, attempt, name)
            size, _ = _measured(path)
            if size != offset:
                raise OffsetError(size)
            is_new = not path.exists()
            self._admit(uid, name, len(data), is_new=is_new)
            _write(path, data, size)
            self._count(uid, len(data), is_new=is_new)
            return size + len(data)

    def replace(
        self, uid: str, attempt: int, name: str, data: bytes, *, offset: int, total: int
    ) -> int:
        """Take a part of a new content; it takes the old one's place once all `total` bytes came.

        Returns:
            Bytes of the new content so far.

        Raises:
            RefusedPathError, OffsetError, TooLargeError: nothing was written.
            OSError: the disk is full or refuses; the old content stands.
        """
        with self._lock(uid):
            path = self._place(uid, attempt, name)
            is_new = not path.exists()
            old = 0 if is_new else path.stat().st_size
            self._admit(uid, name, max(total, offset + len(data)) - old, is_new=is_new)
            part = _part(RunFolder.of(self._jobs_folder, uid), name, is_first=offset == 0)
            size, _ = _measured(part)
            if size != offset:
                raise OffsetError(size)
            _write(part, data, size)
            size += len(data)
            if size >= total:
                path.parent.mkdir(parents=True, exist_ok=True)
                os.replace(part, path)
                self._count(uid, size - old, is_new=is_new)
            return size

    def read(self, uid: str, attempt: int, name: str, *, offset: int) -> bytes | None:
        """A part of a file that concerns the whole run; empty at its end, None without it.

        Raises:
            RefusedPathError: a file that is not given back.
            OSError: the disk refuses.
        """
        if not is_restored(name):
            raise RefusedPathError(f"'{name[:200]}' is not given back")
        path = self._place(uid, attempt, name)
        try:
            with path.open("rb") as stream:
                stream.seek(offset)
                return stream.read(MAX_PART_BYTES)
        except FileNotFoundError:
            return None

    def _place(self, uid: str, attempt: int, name: str) -> Path:
        run = RunFolder.of(self._jobs_folder, uid)
        if not is_mirrored(name) or not is_of_attempt(name, attempt):
            raise RefusedPathError(f"'{name[:200]}' is no file of this attempt that is kept")
        path = run.path
        parts = name.split("/")
        for part in ["", *parts]:
            path = path / part
            mode = _mode(path)
            is_last = path == run.path.joinpath(*parts)
            if mode and not (stat.S_ISREG(mode) if is_last else stat.S_ISDIR(mode)):
                raise RefusedPathError(f"'{name[:200]}' is not an ordinary file here")
        return path

    def _admit(self, uid: str, name: str, more: int, *, is_new: bool) -> None:
        used = self._used(uid)
        size, files = self._max_bytes, MAX_FILES
        if is_vital(name):
            size, files = size + RESERVED_BYTES, files + RESERVED_FILES
        if more > 0 and used.size + more > size:
            raise TooLargeError(f"files of a run must have at most {size} bytes together")
        if is_new and used.files >= files:
            raise TooLargeError(f"a run must have at most {files} files")

    def _used(self, uid: str) -> _Usage:
        if uid not in self._usage:
            if len(self._usage) >= _REMEMBERED_RUNS:
                self._usage.clear()
            self._usage[uid] = _walked(RunFolder.of(self._jobs_folder, uid).path)
        return self._usage[uid]

    def _count(self, uid: str, more: int, *, is_new: bool) -> None:
        used = self._usage.setdefault(uid, _Usage())
        used.size += more
        used.files += is_new

    def _mark(self, uid: str, run: RunFolder) -> str:
        """Which folder this is; one that was removed, and made again, is another."""
        path = run.path / _MARK
        try:
            return path.read_text(encoding="ascii")
        except FileNotFoundError:
            self._usage.pop(uid, None)
            mark = secrets.token_hex(8)
            write_atomically(path, mark)
            return mark

    def _lock(self, uid: str) -> threading.Lock:
        return self._locks[hash(uid) % _LOCKS]


def _part(run: RunFolder, name: str, *, is_first: bool) -> Path:
    """Where a new content is collected: one at a time for each run, whatever is begun."""
    if is_first:
        for begun in run.path.glob(f"{_PART}*"):
            begun.unlink()
    return run.path / f"{_PART}{zlib.crc32(name.encode()):08x}"


def _write(path: Path, data: bytes, size: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
    with os.fdopen(os.open(path, flags, 0o644), "wb") as file:
        try:
            file.write(data)
            file.flush()
        except OSError:
            with suppress(OSError):
                os.ftruncate(file.fileno(), size)
            raise


def _measured(path: Path) -> tuple[int, str]:
    """Bytes of a file and the checksum of its tail; of one that is not there, 0."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return 0, ""
    with os.fdopen(descriptor, "rb") as stream:
        size = os.fstat(descriptor).st_size
        return size, tail(stream, size)


def _mode(path: Path) -> int:
    try:
        return path.lstat().st_mode
    except FileNotFoundError:
        return 0


def _walked(root: Path) -> _Usage:
    usage = _Usage()
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder, name)
            if is_mirrored(path.relative_to(root).as_posix()):
                usage.size += path.lstat().st_size
                usage.files += 1
    return usage
