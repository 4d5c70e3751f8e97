"""Checkpoint folders under any fsspec address: complete or not there at all.

A folder counts only when its `COMPLETE` file exists, and that file is written last. A half-written
folder is never resumed from, and is removed before its step is written again. A folder with a file
`KEEP`, which somebody else puts there, is never dropped for being old.
"""

import json
import logging
from typing import Any

import fsspec

from vppo_core.errors import CheckpointError

_log = logging.getLogger(__name__)

COMPLETE = "COMPLETE"
KEEP = "KEEP"


class CheckpointStore:
    """The checkpoints of one run."""

    def __init__(self, uri: str, *, keep_last: int) -> None:
        """Open an address; nothing is written yet.

        Raises:
            CheckpointError: the scheme is unknown, or its driver is not installed.
        """
        try:
            self._fs, self._root = fsspec.core.url_to_fs(uri)
        except (ValueError, ImportError) as error:
            raise CheckpointError(
                f"checkpoint.uri '{uri}' cannot be opened: {error}; give a folder, or an address "
                "whose fsspec driver is installed"
            ) from error
        self._uri = uri.rstrip("/")
        self._keep_last = keep_last

    def uri(self, step: int) -> str:
        """Address of a step's folder."""
        return f"{self._uri}/{_name(step)}"

    def steps(self) -> list[int]:
        """Steps with a complete checkpoint, oldest first."""
        if not self._fs.exists(self._root):
            return []
        self._fs.invalidate_cache()
        names = [str(path).rsplit("/", 1)[-1] for path in self._fs.ls(self._root, detail=False)]
        steps = sorted(int(n.removeprefix("step-")) for n in names if n.startswith("step-"))
        return [step for step in steps if self._fs.exists(f"{self._path(step)}/{COMPLETE}")]

    def prepare(self, step: int) -> None:
        """An empty folder for a step; leftovers of a write that did not end are removed."""
        if self._fs.exists(self._path(step)):
            self._fs.rm(self._path(step), recursive=True)
        self._fs.makedirs(self._path(step), exist_ok=True)

    def write(self, step: int, name: str, data: bytes) -> None:
        """Write one file of a step."""
        with self._fs.open(f"{self._path(step)}/{name}", "wb") as file:
            file.write(data)

    def read(self, step: int, name: str) -> bytes:
        """Read one file of a step."""
        with self._fs.open(f"{self._path(step)}/{name}", "rb") as file:
            data: bytes = file.read()
        return data

    def complete(self, step: int, facts: dict[str, Any]) -> None:
        """Make a step count, then drop the oldest beyond `checkpoint.keepLast`."""
        self.write(step, COMPLETE, json.dumps(facts, indent=1, sort_keys=True).encode())
        for old in self.steps()[: -self._keep_last]:
            if self._fs.exists(f"{self._path(old)}/{KEEP}"):
                continue
            try:
                # The marker goes first: a removal that is cut short leaves an incomplete folder.
                self._fs.rm(f"{self._path(old)}/{COMPLETE}")
                self._fs.rm(self._path(old), recursive=True)
            except OSError as error:
                # Somebody else may remove it at the same moment; the new one stands either way.
                _log.warning("the old checkpoint of step %d was not removed: %s", old, error)

    def size_bytes(self, step: int) -> int:
        """Bytes of a step's files."""
        return int(self._fs.du(self._path(step)))

    def discard(self, step: int) -> None:
        """Remove what was written of a step."""
        if self._fs.exists(self._path(step)):
            self._fs.rm(self._path(step), recursive=True)

    def _path(self, step: int) -> str:
        return f"{self._root}/{_name(step)}"


def _name(step: int) -> str:
    return f"step-{step:06d}"
