"""Arrays of a batch agree on their axes, or one error says which do not."""

from typing import Any

import numpy as np
import numpy.typing as npt

from vppo_core.errors import ConsistencyError

IntArray = npt.NDArray[np.int32]
LongArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]
ByteArray = npt.NDArray[np.uint8]


def check_axes(owner: str, **arrays: tuple[npt.NDArray[Any], str]) -> dict[str, int]:
    """The size of every named axis, when all arrays agree on them.

    Each argument is an array and its axes as letters, for instance `(response_ids, "B T")`.

    Raises:
        ConsistencyError: an array has another rank or another size than its letters say.
    """
    sizes: dict[str, int] = {}
    for name, (array, letters) in arrays.items():
        axes = letters.split()
        if array.ndim != len(axes):
            raise ConsistencyError(
                f"{owner}.{name} must have axes [{letters}], got shape {array.shape}"
            )
        for axis, size in zip(axes, array.shape, strict=True):
            if sizes.setdefault(axis, size) != size:
                raise ConsistencyError(
                    f"{owner}.{name} has {size} along {axis} where other arrays have {sizes[axis]}"
                )
    return sizes


def nbytes(batch: object) -> int:
    """Bytes in the arrays and strings of a batch: what it weighs in the object store."""
    total = 0
    for name in batch.__dataclass_fields__:  # type: ignore[attr-defined]
        value = getattr(batch, name)
        if isinstance(value, np.ndarray):
            total += value.nbytes
        elif isinstance(value, tuple):
            total += sum(len(item.encode()) for item in value if isinstance(item, str))
    return total


def pad_right(
    rows: list[npt.NDArray[Any]], dtype: npt.DTypeLike, width: int = 0
) -> npt.NDArray[Any]:
    """Rows of different lengths as one [B, T] array with zeros at the end."""
    width = max([width, *(len(row) for row in rows)])
    out = np.zeros((len(rows), width), dtype=dtype)
    for index, row in enumerate(rows):
        out[index, : len(row)] = row
    return out
