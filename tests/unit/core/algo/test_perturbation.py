"""Masks replay from their key; patch space equals pixel space of the processor's own image."""

import math
import subprocess
import sys

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import Qwen2VLImageProcessor, Qwen2VLVideoProcessor

from vppo_core.algo.fills import PatchLayout
from vppo_core.algo.perturbation import apply_mask, patch_mask, reference_blacken, text_key

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


def pixel_mask(mask: npt.NDArray[np.bool_], grid: tuple[int, int, int], patch: int) -> Pixels:
    """The mask as [H, W] of a still image, placed patch by patch in a plain loop."""
    _, h, w = grid
    out = np.zeros((h * patch, w * patch), dtype=bool)
    row = 0
    for block_y in range(h // 2):
        for block_x in range(w // 2):
            for dy in range(2):
                for dx in range(2):
                    y, x = (2 * block_y + dy) * patch, (2 * block_x + dx) * patch
                    out[y : y + patch, x : x + patch] = mask[row]
                    row += 1
    return out


@pytest.mark.parametrize("patch", [14, 16])
@pytest.mark.parametrize("unit", ["patch", "merge"])
@pytest.mark.parametrize(("fill", "level"), [("black", 0), ("grey", 128)])
def test_patch_space_equals_pixel_space_bit_for_bit(
    patch: int, unit: str, fill: str, level: int
) -> None:
    of = processor(patch)
    # Of a size that the processor leaves alone: what it sees is the finally resized image.
    image = picture(8 * patch, 14 * patch)
    rows, grid = processed(of, image)
    assert grid == (1, 8, 14)
    mask = patch_mask(KEY, grid, ratio=0.5, merge_size=2, unit=unit)
    painted = image.copy()
    painted[pixel_mask(mask, grid, patch)] = level
    got = apply_mask(rows, mask, fill=fill, grid=grid, **layout(of))
    assert got.tobytes() == processed(of, painted)[0].tobytes()


@pytest.mark.parametrize("patch", [14, 16])
def test_a_resized_picture_is_masked_on_whole_patches(patch: int) -> None:
    of = processor(patch)
    rows, grid = processed(of, picture(101, 333))
    mask = patch_mask(KEY, grid, ratio=0.5, merge_size=2)
    got = apply_mask(rows, mask, fill="black", grid=grid, **layout(of))
    black = processed(of, np.zeros((4 * patch, 4 * patch, 3), dtype=np.uint8))[0][0]
    assert (got[mask] == black).all()
    assert (got[~mask] == rows[~mask]).all()


@settings(max_examples=40, deadline=None)
@given(
    t=st.integers(1, 3),
    h=st.integers(1, 6),
    w=st.integers(1, 6),
    seed=st.integers(0, 2**40),
)
def test_the_row_order_of_a_mask_equals_a_loop(t: int, h: int, w: int, seed: int) -> None:
    grid = (t, 2 * h, 2 * w)
    mask = patch_mask((seed,), grid, ratio=0.5, merge_size=2)
    # With a merge size of one the order of rows is that of the picture.
    raster = patch_mask((seed,), grid, ratio=0.5, merge_size=1).reshape(grid)
    wanted = [
        raster[f, 2 * y + dy, 2 * x + dx]
        for f in range(t)
        for y in range(h)
        for x in range(w)
        for dy in range(2)
        for dx in range(2)
    ]
    assert mask.tolist() == wanted


def test_the_merge_unit_masks_whole_visual_tokens() -> None:
    mask = patch_mask(KEY, (1, 40, 60), ratio=0.5, merge_size=2, unit="merge").reshape(-1, 4)
    assert (mask.all(axis=1) | ~mask.any(axis=1)).all()
    assert 0.4 < mask.all(axis=1).mean() < 0.6


def test_the_masked_share_lies_in_its_binomial_interval() -> None:
    count = 100 * 100
    for ratio in (0.1, 0.5, 0.9):
        mask = patch_mask(KEY, (1, 100, 100), ratio=ratio, merge_size=2)
        assert abs(mask.mean() - ratio) < 4 * math.sqrt(ratio * (1 - ratio) / count)


def test_ratios_of_zero_and_one_mask_nothing_and_everything() -> None:
    assert not patch_mask(KEY, (1, 20, 20), ratio=0.0, merge_size=2).any()
    assert patch_mask(KEY, (1, 20, 20), ratio=1.0, merge_size=2).all()


def test_equal_keys_give_equal_masks_and_any_other_key_another() -> None:
    keys = [(1,), (2,), (1, 0), (0, 1), (2**32,), (1, 2, 3), (3, 2, 1), (2**64 - 1,), ()]
    masks = {k: patch_mask(k, (1, 20, 20), ratio=0.5, merge_size=2).tobytes() for k in keys}
    assert len(set(masks.values())) == len(keys)
    for key, mask in reversed(masks.items()):
        assert patch_mask(key, (1, 20, 20), ratio=0.5, merge_size=2).tobytes() == mask


def test_the_mask_of_a_key_is_this_one_for_ever() -> None:
    # A recorded stream: a run that is resumed with another release must see the same masks.
    mask = patch_mask((7, text_key("row-0"), 0, 3), (1, 4, 8), ratio=0.5, merge_size=2)
    assert np.packbits(mask).tobytes().hex() == "f5f6468c"


def test_another_process_gives_the_same_mask() -> None:
    code = (
        "from vppo_core.algo.perturbation import patch_mask\n"
        "print(patch_mask((1, 2, 3), (1, 8, 8), ratio=0.5, merge_size=2).astype(int).tolist())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    mask = patch_mask(KEY, (1, 8, 8), ratio=0.5, merge_size=2)
    assert done.stdout.strip() == str(mask.astype(int).tolist())


def test_no_global_generator_is_touched() -> None:
    # The type checker of the tests itself draws from `random`, so that one is left out.
    before = (np.random.get_state()[1].tolist(), torch.get_rng_state())
    of = processor(14)
    rows, grid = processed(of, picture(84, 112))
    mask = patch_mask(KEY, grid, ratio=0.5, merge_size=2)
    for fill in ("black", "grey", "noise", "blur"):
        apply_mask(rows, mask, fill=fill, grid=grid, seed_key=KEY, **layout(of))
    reference_blacken(picture(30, 30), KEY, ratio=0.5)
    assert before[0] == np.random.get_state()[1].tolist()
    assert torch.equal(before[1], torch.get_rng_state())


@pytest.mark.parametrize("bad", [(-1,), (2**64,)])
def test_a_key_that_cannot_be_told_apart_is_refused(bad: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="seed_key must hold integers"):
        patch_mask(bad, (1, 2, 2), ratio=0.5, merge_size=2)


def test_a_grid_that_does_not_merge_and_an_unknown_unit_are_refused() -> None:
    with pytest.raises(ValueError, match="multiple of merge_size 2"):
        patch_mask(KEY, (1, 3, 4), ratio=0.5, merge_size=2)
    with pytest.raises(ValueError, match="'patch' or 'merge', got 'token'"):
        patch_mask(KEY, (1, 2, 2), ratio=0.5, merge_size=2, unit="token")


@pytest.mark.parametrize("patch", [14, 16])
def test_a_video_is_masked_by_tubelet(patch: int) -> None:
    of = Qwen2VLVideoProcessor(patch_size=patch)
    video = np.random.default_rng(0).integers(0, 256, (4, 3, 4 * patch, 6 * patch), dtype=np.uint8)
    made = of(videos=[video], do_resize=False, return_tensors="np")
    grid = tuple(int(x) for x in made["video_grid_thw"][0])
    assert grid == (2, 4, 6)
    rows = np.asarray(made["pixel_values_videos"], dtype=np.float32)
    mask = patch_mask(KEY, grid, ratio=0.5, merge_size=2)
    painted = video.copy()
    per_pair = mask.reshape(2, -1)
    for pair in range(2):
        covered = pixel_mask(per_pair[pair], grid, patch)
        painted[2 * pair : 2 * pair + 2, :, covered] = 0
    wanted = of(videos=[painted], do_resize=False, return_tensors="np")["pixel_values_videos"]
    got = apply_mask(rows, mask, fill="black", grid=grid, **layout(of))
    assert got.tobytes() == np.asarray(wanted, dtype=np.float32).tobytes()
    assert (per_pair[0] != per_pair[1]).any()


@settings(max_examples=30, deadline=None)
@given(height=st.integers(1, 60), width=st.integers(1, 60), patch=st.sampled_from([1, 5, 14]))
def test_reference_blackening_is_all_or_nothing_in_each_square(
    height: int, width: int, patch: int
) -> None:
    image = np.maximum(picture(height, width), 1)
    got = reference_blacken(image, KEY, ratio=0.5, patch=patch)
    for y in range(0, height, patch):
        for x in range(0, width, patch):
            square = got[y : y + patch, x : x + patch]
            assert (square == 0).all() or (square == image[y : y + patch, x : x + patch]).all()
    assert image.min() > 0


def test_reference_blackening_hits_about_its_ratio() -> None:
    got = reference_blacken(np.ones((1400, 1400, 3), np.uint8), KEY, ratio=0.5)
    assert abs((got == 0).mean() - 0.5) < 0.02


def test_names_become_stable_keys() -> None:
    assert text_key("row-0") != text_key("row-1")
    assert 0 <= text_key("") < 2**64
