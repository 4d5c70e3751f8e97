"""Files behind an fsspec address: fetched once into the cache, or read whole."""

import hashlib
import os
import re
import tempfile
from pathlib import Path
from typing import Final

import fsspec
from fsspec.core import url_to_fs

SCHEMES: Final = (
    "file", "s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oci", "hf", "memory",
)  # fmt: skip
"""Storage that may be named. Not the web: a row could then make a pod call any host."""


def has_scheme(address: str) -> bool:
    """Whether this is an address such as `s3://bucket/file` and not a path."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", address) is not None


def check_scheme(address: str) -> None:
    """Refuse addresses of storage that is not in `SCHEMES`.

    Raises:
        ValueError: with the scheme and those that are allowed.
    """
    scheme = address.partition("://")[0].lower()
    if scheme not in SCHEMES:
        raise ValueError(f"scheme must be one of {', '.join(SCHEMES)}, got '{scheme}'")


def cache_folder() -> Path:
    """Where copies of data sets are kept: `$VPPO_CACHE`, else `~/.cache/vppo`."""
    return Path(os.environ.get("VPPO_CACHE") or Path.home() / ".cache" / "vppo")


def read_remote(address: str, max_bytes: int) -> bytes:
    """Content of a small file.

    Raises:
        ValueError: a scheme that is not allowed, or more than `max_bytes`.
        OSError: not there or not readable.
        ImportError: fsspec's driver for this storage is not installed.
    """
    check_scheme(address)
    with fsspec.open(address, "rb") as file:
        content: bytes = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise ValueError(f"larger than {max_bytes} bytes")
    return content


def fetch(address: str) -> Path:
    """A local copy of the file, made once for each version of it; safe for several processes.

    Raises:
        ValueError, OSError, ImportError: as `read_remote`.
    """
    check_scheme(address)
    storage, path = url_to_fs(address)
    if not storage.isfile(path):
        raise FileNotFoundError("no such file")
    version = hashlib.sha256(f"{address} {storage.ukey(path)}".encode()).hexdigest()[:32]
    copy = cache_folder() / "downloads" / version / Path(path).name
    if not copy.exists():
        copy.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=copy.parent) as folder:
            part = Path(folder, "part")
            storage.get_file(path, str(part))
            os.replace(part, copy)
    return copy
