"""Reading job files, with what can go wrong said in a sentence."""

from pathlib import Path

from vppo_core.errors import InvalidSpecError
from vppo_core.spec.parsing import MAX_BYTES


def read_text(path: Path) -> str:
    """The text of a job file; one byte over the limit is read, so that the check sees it.

    Raises:
        InvalidSpecError: no such file, a folder, not readable, or not UTF-8.
    """
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidSpecError(
            f"a job file must be UTF-8 text, got other bytes at offset {error.start} of '{path}'; "
            "is it the right file?"
        ) from None
    except OSError as error:
        raise InvalidSpecError(
            f"a job file must be readable, got '{path}' ({error.strerror}); check the path"
        ) from None
