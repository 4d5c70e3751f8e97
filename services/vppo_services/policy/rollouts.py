"""Rows of a batch as rollouts that can be packed."""

from collections.abc import Sequence

from vppo_core.batch.axes import BoolArray, FloatArray, IntArray
from vppo_core.batch.prompts import PromptBatch
from vppo_services.policy.packing import Rollout
from vppo_services.policy.pixels import PixelCache


def rollout_of(
    prompts: PromptBatch,
    prompt: int,
    response_ids: IntArray,
    response_mask: BoolArray,
    pixels: Sequence[FloatArray],
) -> Rollout:
    """One row of a batch, scored with the given pixels."""
    grids = prompts.image_grids[prompts.image_indices(prompt)]
    return Rollout(
        prompt_ids=prompts.ids(prompt),
        response_ids=response_ids[response_mask],
        pixels=tuple(pixels),
        grids=tuple((int(t), int(h), int(w)) for t, h, w in grids),
    )


def clean_rollout(
    prompts: PromptBatch,
    prompt: int,
    response_ids: IntArray,
    response_mask: BoolArray,
    cache: PixelCache,
) -> Rollout:
    """One row of a batch with its true images."""
    return rollout_of(prompts, prompt, response_ids, response_mask, cache.of(prompts, prompt))
