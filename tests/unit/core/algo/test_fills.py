"""Fills of masked patches: a picture stays a picture, and only masked patches change."""

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import Qwen2VLImageProcessor

from vppo_core.algo.fills import BLUR_SIGMA, PatchLayout, blur, frames_to_rows, rows_to_frames
from vppo_core.algo.perturbation import apply_mask, patch_mask

Pixels = npt.NDArray[np.uint8]
KEY = (1, 2, 3)


def processor(patch: int) -> Qwen2VLImageProcessor:
    """Of Qwen2.5-VL (14 px, CLIP statistics) or Qwen3-VL (16 px, one half everywhere)."""
    scale = {} if patch == 14 else {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    return Qwen2VLImageProcessor(
        patch_size=patch, min_pixels=56 * 56, max_pixels=400 * 400, **scale
    )


def layout(of: Qwen2VLImageProcessor) -> PatchLayout:
    return {
        "mean": of.image_mean,
        "std": of.image_std,
        "rescale": of.rescale_factor,
        "patch_size": of.patch_size,
        "temporal_patch_size": of.temporal_patch_size,
        "merge_size": of.merge_size,
    }


def picture(height: int, width: int, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def processed(
    of: Qwen2VLImageProcessor, image: Pixels
) -> tuple[npt.NDArray[np.float32], tuple[int, int, int]]:
    made = of(images=[image], return_tensors="np")
    t, h, w = (int(x) for x in made["image_grid_thw"][0])
    return np.asarray(made["pixel_values"], dtype=np.float32), (t, h, w)


def test_an_unknown_fill_is_refused() -> None:
    of = processor(14)
    rows, grid = processed(of, picture(56, 56))
    with pytest.raises(ValueError, match="black, grey, noise, blur, got 'white'"):
        apply_mask(rows, np.ones(len(rows), bool), fill="white", grid=grid, **layout(of))


@pytest.mark.parametrize("fill", ["black", "grey", "noise", "blur"])
def test_a_fill_changes_masked_rows_only_and_copies(fill: str) -> None:
    of = processor(14)
    rows, grid = processed(of, picture(84, 112))
    mask = patch_mask(KEY, grid, ratio=0.5, merge_size=2)
    kept = rows.copy()
    got = apply_mask(rows, mask, fill=fill, grid=grid, seed_key=KEY, **layout(of))
    assert got.dtype == np.float32
    assert (rows == kept).all()
    assert (got[~mask] == rows[~mask]).all()
    assert (got[mask] != rows[mask]).any(axis=1).all()
    again = apply_mask(rows, mask, fill=fill, grid=grid, seed_key=KEY, **layout(of))
    assert got.tobytes() == again.tobytes()
    # Both frames of a still image stay equal.
    frames = rows_to_frames(got, grid, layout(of))
    assert (frames[0] == frames[1]).all()


def test_noise_stays_a_picture_and_follows_its_key() -> None:
    of = processor(14)
    image = picture(280, 280)
    rows, grid = processed(of, image)
    everything = np.ones(len(rows), bool)
    options = {"fill": "noise", "grid": grid, **layout(of)}
    got = apply_mask(rows, everything, seed_key=KEY, **options)
    factor, mean, std = 255.0, np.array(of.image_mean), np.array(of.image_std)
    frames = rows_to_frames(got, grid, layout(of))[0].transpose(1, 2, 0)
    pixels = (frames * std + mean) * factor
    assert pixels.min() > -0.01
    assert pixels.max() < 255.01
    inside = (pixels > 1) & (pixels < 254)
    grey = (image > 126) & (image < 130) & inside
    # Of a grey pixel, what a deviation of 189 leaves inside is nearly uniform.
    assert 0.42 < grey.sum() / ((image > 126) & (image < 130)).sum() < 0.58
    other = apply_mask(rows, everything, seed_key=(9,), **options)
    assert (got != other).mean() > 0.5


def test_blur_equals_a_direct_gaussian_sum() -> None:
    rng = np.random.default_rng(0)
    frames = rng.standard_normal((2, 3, 30, 23)).astype(np.float32)
    got = blur(frames)
    offsets = range(-18, 19)
    kernel = [math.exp(-0.5 * (o / BLUR_SIGMA) ** 2) for o in offsets]
    y, x = 4, 20
    total = (
        sum(
            a * b * frames[:, :, min(max(y + dy, 0), 29), min(max(x + dx, 0), 22)]
            for a, dy in zip(kernel, offsets, strict=True)
            for b, dx in zip(kernel, offsets, strict=True)
        )
        / sum(kernel) ** 2
    )
    np.testing.assert_allclose(got[:, :, y, x], total, atol=1e-5)
    np.testing.assert_allclose(blur(np.ones_like(frames)), 1.0, atol=1e-5)


@settings(max_examples=20, deadline=None)
@given(t=st.integers(1, 2), h=st.integers(1, 3), w=st.integers(1, 3), patch=st.integers(1, 4))
def test_rows_and_frames_are_inverse(t: int, h: int, w: int, patch: int) -> None:
    grid = (t, 2 * h, 2 * w)
    shape: PatchLayout = {
        "mean": [0.5] * 3,
        "std": [0.5] * 3,
        "rescale": 1 / 255,
        "patch_size": patch,
        "temporal_patch_size": 2,
        "merge_size": 2,
    }
    count = t * 4 * h * w * 3 * 2 * patch * patch
    rows = np.arange(count, dtype=np.float32).reshape(t * 4 * h * w, -1)
    frames = rows_to_frames(rows, grid, shape)
    assert frames.shape == (2 * t, 3, 2 * h * patch, 2 * w * patch)
    assert (frames_to_rows(frames, grid, shape) == rows).all()


def test_rows_are_cut_from_frames_as_the_processor_cuts_them() -> None:
    of = processor(14)
    image = picture(56, 84)
    rows, grid = processed(of, image)
    frame = rows_to_frames(rows, grid, layout(of))[0].transpose(1, 2, 0)
    plain = (image / 255.0 - np.array(of.image_mean)) / np.array(of.image_std)
    np.testing.assert_allclose(frame, plain, atol=1e-5)
