"""Batches as bytes, for checkpoints: numpy's own archive format, no pickle inside.

Reading a checkpoint of somebody else therefore never runs code.
"""

import io
import json
from typing import Any, TypeVar

import numpy as np

from vppo_core.errors import CheckpointError

T = TypeVar("T")
_REST = "__rest__"


def to_bytes(batch: object) -> bytes:
    """A batch as one `.npz`; arrays as they are, everything else as JSON."""
    arrays: dict[str, Any] = {}
    rest: dict[str, Any] = {}
    for name in batch.__dataclass_fields__:  # type: ignore[attr-defined]
        value = getattr(batch, name)
        (arrays if isinstance(value, np.ndarray) else rest)[name] = value
    text = json.dumps(rest, ensure_ascii=False).encode()
    arrays[_REST] = np.frombuffer(text, dtype=np.uint8)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def from_bytes(kind: type[T], data: bytes) -> T:
    """The batch that `to_bytes` wrote.

    Raises:
        CheckpointError: the bytes are not such a batch.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            values: dict[str, Any] = {name: archive[name] for name in archive.files}
        rest = json.loads(values.pop(_REST).tobytes())
        values |= {k: tuple(v) if isinstance(v, list) else v for k, v in rest.items()}
        return kind(**values)
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise CheckpointError(f"a stored {kind.__name__} cannot be read: {error}") from error
