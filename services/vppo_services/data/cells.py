"""Cells of a data set as the fields of a `Row`: encoded images and texts."""

import base64
import binascii
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from vppo_core.spec.data import DataSpec
from vppo_services.data.remote import has_scheme, read_remote
from vppo_services.data.rows import BadReason, BadRowError, Row, as_text

MAX_IMAGE_BYTES: Final = 256 * 1024 * 1024
"""Larger image files are not read."""


def row_of(uid: str, record: Mapping[str, Any], spec: DataSpec, images_key: str, base: str) -> Row:
    """The row in `record`; image paths are taken relative to `base`.

    Raises:
        BadRowError: a field is missing or of the wrong type, or an image file cannot be read.
    """
    for key in (spec.problem_key, spec.answer_key):
        if record.get(key) is None:
            raise BadRowError(uid, BadReason.BAD_TYPE, f"the row has no '{key}'")
    return Row(
        uid=uid,
        problem=as_text(uid, "question", record[spec.problem_key]),
        images=images_of(uid, record.get(images_key), base),
        answer=as_text(uid, "answer", _number_as_text(record[spec.answer_key])),
    )


def images_of(uid: str, cell: object, base: str) -> list[bytes]:
    """Encoded images of one cell: nothing, one image, or a list of them.

    An image is bytes, a path, a `data:` address, or a mapping with `bytes` or `path` in it.

    Raises:
        BadRowError: another type, or a file that cannot be read.
    """
    if cell is None or cell == "":
        return []
    if isinstance(cell, list | tuple):
        return [_image(uid, item, base) for item in cell]
    return [_image(uid, cell, base)]


def _image(uid: str, cell: object, base: str) -> bytes:
    if isinstance(cell, bytes | bytearray | memoryview):
        return bytes(cell)
    if isinstance(cell, Mapping):
        raw = cell.get("bytes")
        return _image(uid, cell.get("path") if raw is None else raw, base)
    if isinstance(cell, str):
        if cell.startswith("data:"):
            return _from_data_address(uid, cell)
        return _from_file(uid, cell, base)
    raise BadRowError(
        uid,
        BadReason.BAD_TYPE,
        f"an image must be bytes, a path, or a mapping with either, got {type(cell).__name__}",
    )


def _from_data_address(uid: str, address: str) -> bytes:
    head, _, body = address.partition(",")
    if not head.endswith(";base64"):
        raise BadRowError(uid, BadReason.CORRUPT_IMAGE, "a data: address must be in base64")
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error as error:
        raise BadRowError(uid, BadReason.CORRUPT_IMAGE, f"base64 is damaged: {error}") from error


def _from_file(uid: str, path: str, base: str) -> bytes:
    try:
        if has_scheme(path) or has_scheme(base):
            address = path if has_scheme(path) else f"{base.rstrip('/')}/{path}"
            return read_remote(address, MAX_IMAGE_BYTES)
        file = Path(base, path)
        if not base and not file.is_absolute():
            raise OSError("the data set has no folder that it could lie in")
        if not file.is_file():  # a device or pipe could be read for ever
            raise OSError("no such file")
        if file.stat().st_size > MAX_IMAGE_BYTES:
            raise OSError(f"larger than {MAX_IMAGE_BYTES} bytes")
        return file.read_bytes()
    except (OSError, ValueError, ImportError) as error:
        raise BadRowError(
            uid, BadReason.MISSING_IMAGE, f"image '{path}' cannot be read: {error}"
        ) from error


def _number_as_text(value: object) -> object:
    """`3` and `3.0` as "3", `0.25` as "0.25": answers are often stored as numbers."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, float):
        return format(value, ".15g") if math.isfinite(value) else ""
    return value
