"""Small files of a run, whole or not at all."""

import os
from pathlib import Path


def write_atomically(path: Path, text: str) -> None:
    """Replace the content of `path`; a reader, or a restart, finds the old text or the new one.

    Raises:
        OSError: the disk is full or refuses; the old text stands.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)


def append_line(path: Path, text: str) -> None:
    """Add a line to the end of `path`, whole or not at all.

    Raises:
        OSError: the disk is full or refuses; the file is as it was.
    """
    line = (text + "\n").encode()
    with path.open("ab", buffering=0) as file:
        size = file.tell()
        written = 0
        try:
            while written < len(line):
                written += file.write(line[written:])
        except OSError:
            file.truncate(size)
            raise
