"""What a masked patch shows, in the numbers of the processor."""

from collections.abc import Sequence
from typing import TypedDict

import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Float32

GREY = 128.0
NOISE_SIGMA = 189.0
BLUR_SIGMA = 6.0


Rows = npt.NDArray[np.float32]
Frames = npt.NDArray[np.float32]


class PatchLayout(TypedDict):
    """How the processor cuts and scales an image; read it from the processor, never guess it."""

    mean: Sequence[float]
    """Per channel, of pixels scaled to 0..1."""

    std: Sequence[float]
    """Per channel, of pixels scaled to 0..1."""

    rescale: float
    """Factor from 0..255 to 0..1."""

    patch_size: int
    """Pixels along a side of a patch."""

    temporal_patch_size: int
    """Frames in a row."""

    merge_size: int
    """Patches along a side of a visual token."""


def fill_rows(
    pixel_values: Float32[np.ndarray, "R F"],
    mask: Bool[np.ndarray, " R"],
    fill: str,
    grid: tuple[int, int, int],
    generator: np.random.Generator,
    layout: PatchLayout,
) -> Float32[np.ndarray, "M F"]:
    """The new contents of the masked rows."""
    if fill == "black":
        return _constant(0.0, pixel_values, layout)
    if fill == "grey":
        return _constant(GREY, pixel_values, layout)
    if fill == "noise":
        return _noise(pixel_values[mask], generator, layout)
    if fill == "blur":
        frames = blur(rows_to_frames(pixel_values, grid, layout))
        blurred: Rows = frames_to_rows(frames, grid, layout)[mask]
        return blurred
    raise ValueError(f"fill must be one of black, grey, noise, blur, got {fill!r}")


def rows_to_frames(
    rows: Float32[np.ndarray, "R F"], grid: tuple[int, int, int], layout: PatchLayout
) -> Float32[np.ndarray, "frames C H W"]:
    """The normalised picture that the rows were cut from; a still image has equal frames."""
    t, h, w = grid
    m, f, p = layout["merge_size"], layout["temporal_patch_size"], layout["patch_size"]
    cut = rows.reshape(t, h // m, w // m, m, m, -1, f, p, p)
    frames: Frames = cut.transpose(0, 6, 5, 1, 3, 7, 2, 4, 8).reshape(t * f, -1, h * p, w * p)
    return frames


def frames_to_rows(
    frames: Float32[np.ndarray, "frames C H W"], grid: tuple[int, int, int], layout: PatchLayout
) -> Float32[np.ndarray, "R F"]:
    """Inverse of `rows_to_frames`."""
    t, h, w = grid
    m, f, p = layout["merge_size"], layout["temporal_patch_size"], layout["patch_size"]
    cut = frames.reshape(t, f, -1, h // m, m, p, w // m, m, p)
    rows: Rows = cut.transpose(0, 3, 6, 4, 7, 2, 1, 5, 8).reshape(t * h * w, -1)
    return rows


def blur(frames: Float32[np.ndarray, "frames C H W"]) -> Float32[np.ndarray, "frames C H W"]:
    """Frames under a Gaussian of 6 px, edges repeated.

    A normalised kernel commutes with the processor's scale and offset, so none is undone.
    """
    reach = int(3 * BLUR_SIGMA)
    offsets = np.arange(-reach, reach + 1)
    kernel = np.exp(-0.5 * (offsets / BLUR_SIGMA) ** 2)
    kernel = (kernel / kernel.sum()).astype(np.float32)
    for axis in (2, 3):
        size = frames.shape[axis]
        padding = [(reach, reach) if i == axis else (0, 0) for i in range(4)]
        padded = np.pad(frames, padding, mode="edge")
        total = np.zeros_like(frames)
        for start, factor in enumerate(kernel):
            window = [slice(None)] * 4
            window[axis] = slice(start, start + size)
            total += factor * padded[tuple(window)]
        frames = total
    return frames


def _scale(layout: PatchLayout) -> tuple[Float32[np.ndarray, " C"], Float32[np.ndarray, " C"]]:
    # Offset and divisor of a 0..255 pixel, rounded in the order in which the processor does it.
    factor = np.float32(1.0 / layout["rescale"])
    mean, std = np.asarray(layout["mean"], np.float32), np.asarray(layout["std"], np.float32)
    return mean * factor, std * factor


def _constant(
    level: float, pixel_values: Float32[np.ndarray, "R F"], layout: PatchLayout
) -> Float32[np.ndarray, "1 F"]:
    offset, divisor = _scale(layout)
    channels = (np.float32(level) - offset) / divisor
    return np.repeat(channels, pixel_values.shape[1] // len(channels))[None, :]


def _noise(
    rows: Float32[np.ndarray, "M F"], generator: np.random.Generator, layout: PatchLayout
) -> Float32[np.ndarray, "M F"]:
    offset, divisor = (part[:, None, None, None] for part in _scale(layout))
    f, p = layout["temporal_patch_size"], layout["patch_size"]
    pixels = rows.reshape(len(rows), -1, f, p, p) * divisor + offset
    # One draw for all frames of a row: a still image must stay still.
    draws = generator.standard_normal((len(rows), pixels.shape[1], 1, p, p), dtype=np.float32)
    noisy = np.clip(pixels + np.float32(NOISE_SIGMA) * draws, 0.0, 255.0)
    filled: Rows = ((noisy - offset) / divisor).reshape(rows.shape).astype(np.float32)
    return filled
