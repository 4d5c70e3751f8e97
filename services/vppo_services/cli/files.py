"""Reading job files, with what can go wrong said in a sentence."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from vppo_core.errors import InvalidSpecError
from vppo_core.spec.loading import job_from_document
from vppo_core.spec.objects import as_submitted
from vppo_core.spec.overrides import apply_overrides
from vppo_core.spec.parsing import MAX_BYTES, read_document

STANDARD_INPUT = "-"


def read_text(path: Path) -> str:
    """The text of a job file; one byte over the limit is read, so that the check sees it.

    Raises:
        InvalidSpecError: no such file, a folder, not readable, or not UTF-8.
    """
    try:
        with path.open("rb") as stream:
            return _text(stream, str(path))
    except OSError as error:
        raise InvalidSpecError(
            f"a job file must be readable, got '{path}' ({error.strerror}); check the path"
        ) from None


def read_submission(file: str, assignments: Sequence[str], *, name: str = "") -> dict[str, Any]:
    """The mapping of a job file or of standard input, checked, ready to be sent.

    What a server wrote into it is dropped, so a job that was got can be sent again. Defaults stay
    unwritten: they are the server's.

    Raises:
        InvalidSpecError: one line for each thing that is wrong.
    """
    text = _standard_input() if file == STANDARD_INPUT else read_text(Path(file))
    document = apply_overrides(as_submitted(read_document(text)), assignments)
    if name:
        meta = document.get("metadata") or {}
        # A file whose metadata are no mapping is refused below.
        document["metadata"] = {**meta, "name": name} if isinstance(meta, dict) else meta
    job_from_document(document)
    return document


def _standard_input() -> str:
    return _text(sys.stdin.buffer, "standard input")


def _text(stream: BinaryIO, source: str) -> str:
    raw = stream.read(MAX_BYTES + 1)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidSpecError(
            f"a job file must be UTF-8 text, got other bytes at offset {error.start} of "
            f"'{source}'; is it the right file?"
        ) from None
