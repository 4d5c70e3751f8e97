"""The masked view of an image, in the patch space of the model's own processor.

A row of `pixel_values` is one patch after resize and normalisation, so a mask on rows is aligned
with the vision tower's patches by construction. A mask is a pure function of integers; NumPy's
global generator is never touched.
"""

import hashlib
import math
from typing import Literal, Unpack

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from vppo_core.algo.fills import PatchLayout, fill_rows

Grid = tuple[int, int, int]
MaskUnit = Literal["patch", "merge"]


def text_key(text: str) -> int:
    """A stable 64-bit integer for a row's name, to be a part of a seed key."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def patch_mask(
    seed_key: tuple[int, ...], grid: Grid, *, ratio: float, merge_size: int, unit: str = "patch"
) -> Bool[np.ndarray, " R"]:
    """True on the patches to mask, each with probability `ratio`, in the processor's row order.

    Rows are ordered (t, h / merge, w / merge, merge, merge). Each row holds all frames of its
    temporal patch, so a video is masked by tubelet.

    Args:
        seed_key: what the mask depends on: job seed, row, image, draw, visit; each below 2**64.
        grid: the processor's (t, h, w) in patches; h and w are multiples of `merge_size`.
        unit: `patch`, or `merge` for whole visual tokens of merge x merge patches.
    """
    t, h, w = grid
    m = merge_size
    if h % m or w % m:
        raise ValueError(
            f"grid must be a multiple of merge_size {m} in height and width, got {grid}"
        )
    if unit == "merge":
        return np.repeat(_bits(seed_key, t * (h // m) * (w // m), ratio), m * m)
    if unit != "patch":
        raise ValueError(f"unit must be 'patch' or 'merge', got {unit!r}")
    raster = _bits(seed_key, t * h * w, ratio).reshape(t, h // m, m, w // m, m)
    return raster.transpose(0, 1, 3, 2, 4).reshape(-1)


def apply_mask(
    pixel_values: Float32[np.ndarray, "R F"],
    mask: Bool[np.ndarray, " R"],
    *,
    fill: str,
    grid: Grid,
    seed_key: tuple[int, ...] = (0,),
    **layout: Unpack[PatchLayout],
) -> Float32[np.ndarray, "R F"]:
    """A copy of one image's `pixel_values` with the masked rows filled.

    Args:
        pixel_values: rows as the processor made them, columns (channel, frame, patch, patch).
        mask: True on rows to fill.
        fill: `black` (0) and `grey` (128) are constants; `noise` adds a seeded Gaussian of standard
            deviation 189, clipped to 0..255; `blur` shows the image under a Gaussian of 6 px.
        grid: the processor's (t, h, w) in patches.
        seed_key: of the noise; may be the key of the mask.
        layout: the processor's constants; see `fills.PatchLayout`.
    """
    out = pixel_values.copy()
    if mask.any():
        generator = np.random.Generator(_philox((*seed_key, len(seed_key))))
        out[mask] = fill_rows(pixel_values, mask, fill, grid, generator, layout)
    return out


def reference_blacken(
    image: UInt8[np.ndarray, "H W C"], seed_key: tuple[int, ...], *, ratio: float, patch: int = 14
) -> UInt8[np.ndarray, "H W C"]:
    """A copy with square patches set to RGB 0, on a grid of `patch` pixels from the top left.

    Made before the processor's resize, so it is not aligned with the model's patches. Patches at
    the far edges are cut.

    Source: VPPO-RL a23c54b, perc_utils.py::random_patch_blackening, here from a seed.
    """
    height, width = image.shape[:2]
    rows, columns = math.ceil(height / patch), math.ceil(width / patch)
    bits = _bits(seed_key, rows * columns, ratio).reshape(rows, columns)
    pixels = bits.repeat(patch, axis=0).repeat(patch, axis=1)[:height, :width]
    return np.where(pixels[:, :, None], np.uint8(0), image)


def _bits(seed_key: tuple[int, ...], count: int, ratio: float) -> Bool[np.ndarray, " count"]:
    # Raw words, because NumPy promises their stream across releases, and only theirs.
    words = _philox(seed_key).random_raw(count)
    return (words >> np.uint64(11)) < np.uint64(math.ceil(ratio * 2**53))


def _philox(seed_key: tuple[int, ...]) -> np.random.Philox:
    if any(not 0 <= part < 2**64 for part in seed_key):
        raise ValueError(f"seed_key must hold integers from 0 to 2**64 - 1, got {seed_key}")
    # A length and fixed-width words: (1,) and (1, 0), or (2**32,) and (0, 1), must not coincide.
    words = [len(seed_key)]
    for part in seed_key:
        words += [part & 0xFFFFFFFF, part >> 32]
    return np.random.Philox(np.random.SeedSequence(words))
