"""Checkpoint folders as the control plane sees them: which exist, keep one, remove one.

A folder counts only with its file `COMPLETE`; with a file `KEEP` the driver never removes it.
"""

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import fsspec

from vppo_core.archive.errors import StoreUnavailableError

COMPLETE: Final = "COMPLETE"
KEEP: Final = "KEEP"


def existing(uris: Iterable[str]) -> set[str]:
    """Those of the checkpoints that are complete; one listing for each folder they lie in.

    Raises:
        StoreUnavailableError: the storage does not answer.
    """
    by_parent: dict[str, list[str]] = {}
    for uri in uris:
        by_parent.setdefault(uri.rstrip("/").rpartition("/")[0], []).append(uri)
    found = set()
    for parent, children in by_parent.items():
        try:
            system, root = _open(parent)
            system.invalidate_cache()
            present = set(map(_name, system.ls(root, detail=False))) if system.exists(root) else ()
            for uri in children:
                if _name(uri) in present and system.exists(f"{root}/{_name(uri)}/{COMPLETE}"):
                    found.add(uri)
        except (OSError, ValueError, ImportError) as error:
            raise _unavailable(parent, error) from error
    return found


def keep(uri: str) -> bool:
    """Mark a checkpoint as kept for good; False when it is not there (any more).

    Raises:
        StoreUnavailableError: the storage refuses.
    """
    try:
        system, root = _open(uri)
        if not system.exists(f"{root}/{COMPLETE}"):
            return False
        with system.open(f"{root}/{KEEP}", "wb") as file:
            file.write(b"promoted\n")
        system.invalidate_cache()
        # The driver may have removed it between the two: the marker alone is no checkpoint.
        if system.exists(f"{root}/{COMPLETE}"):
            return True
        system.rm(root, recursive=True)
    except (OSError, ValueError, ImportError) as error:
        raise _unavailable(uri, error) from error
    return False


def remove(uri: str) -> None:
    """Remove a checkpoint; one that is gone already stays gone.

    Raises:
        StoreUnavailableError: the storage refuses.
    """
    try:
        system, root = _open(uri)
        system.invalidate_cache()
        # The marker goes first: a removal that is cut short leaves an incomplete folder.
        for path, deep in ((f"{root}/{COMPLETE}", False), (root, True)):
            if system.exists(path):
                system.rm(path, recursive=deep)
    except FileNotFoundError:
        return
    except (OSError, ValueError, ImportError) as error:
        raise _unavailable(uri, error) from error


def remove_files(folder: Path) -> None:
    """Remove a run folder but for checkpoints in it that are kept for good.

    Raises:
        OSError: the folder refuses.
    """
    if not folder.exists():
        return
    checkpoints = folder / "checkpoints"
    kept = {path.parent for path in checkpoints.glob(f"*/{KEEP}")}
    for path in list(folder.iterdir()):
        if path != checkpoints or not kept:
            _remove(path)
    if not kept:
        folder.rmdir()
        return
    for path in list(checkpoints.iterdir()):
        if path not in kept:
            _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _open(uri: str) -> tuple[Any, str]:
    system, root = fsspec.core.url_to_fs(uri)
    return system, str(root).rstrip("/")


def _name(path: object) -> str:
    return str(path).rstrip("/").rpartition("/")[2]


def _unavailable(uri: str, error: Exception) -> StoreUnavailableError:
    return StoreUnavailableError(
        f"the checkpoints at '{uri}' cannot be reached ({error}); try again when their storage "
        "answers"
    )
