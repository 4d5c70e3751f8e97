"""Answers of the last step as the report shows them: tokens, dependency, image, masked image."""

import io
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from PIL import Image

from vppo_core.algo.fills import PatchLayout, rows_to_frames
from vppo_core.batch.axes import FloatArray
from vppo_core.spec.job import VPPOJobSpec
from vppo_services.data.images import open_image
from vppo_services.data.processor import PromptProcessor
from vppo_services.dependency.views import MaskedView
from vppo_services.driver.assemble import Assembled
from vppo_services.driver.groups import GroupArrays
from vppo_services.observability.report import AnswerSample


def answer_samples(
    job: VPPOJobSpec,
    processor: PromptProcessor,
    groups: Sequence[GroupArrays],
    batches: Sequence[Assembled],
    *,
    step: int,
    count: int = 8,
    max_side: int = 0,
) -> list[AnswerSample]:
    """The best and the worst answer of some groups of the first mini-batch.

    Groups with right and wrong answers come first: there the two stand side by side.

    Args:
        max_side: pixels that images are shrunk to at most; 0 leaves them as the model gets them.
    """
    view = MaskedView(job.dependency, processor, run_seed=job.seed)
    samples: list[AnswerSample] = []
    first = batches[0]
    size = job.learner.prompts_per_update
    for index, group in sorted(enumerate(groups[:size]), key=lambda item: not _is_mixed(item[1])):
        rows = np.flatnonzero(first.batch.prompt_index == index)
        order = np.argsort(group.rewards.rewards, kind="stable")
        for sample in dict.fromkeys((int(order[-1]), int(order[0]))):
            if len(samples) == count:
                return samples
            row = int(rows[sample])
            plain = _sample(group, sample, first, row, processor, step)
            pictures = _pictures(group, sample, processor, view)
            clean, masked = (_png(picture, max_side) for picture in pictures)
            samples.append(replace(plain, image_png=clean, masked_png=masked))
    return samples


def _is_mixed(group: GroupArrays) -> bool:
    return len(np.unique(group.rewards.accuracies)) > 1


def _sample(
    group: GroupArrays,
    sample: int,
    assembled: Assembled,
    row: int,
    processor: PromptProcessor,
    step: int,
) -> AnswerSample:
    mask = assembled.batch.response_mask[row]
    ids = assembled.batch.response_ids[row][mask]
    return AnswerSample(
        step=step,
        problem=group.prompts.problems[0],
        reference=group.prompts.answers[0],
        tokens=[processor.decode([int(i)], skip_special_tokens=False) for i in ids],
        dependency=assembled.token_dependency[row][mask].tolist(),
        kept=assembled.keep_mask[row][mask].tolist(),
        reward=float(group.rewards.rewards[sample]),
        advantage=float(assembled.batch.advantages[row]),
        shaping_weight=float(assembled.shaping_weights[row]),
    )


def _pictures(
    group: GroupArrays, sample: int, processor: PromptProcessor, view: MaskedView
) -> tuple[Image.Image | None, Image.Image | None]:
    """The first image and its masked view, both as the model gets them."""
    indices = group.prompts.image_indices(0)
    if not indices:
        return None, None
    images = [open_image(group.prompts.image(index)) for index in indices]
    pixels, grids = processor.pixels(images)
    clean = np.split(pixels, np.cumsum(grids.prod(axis=1))[:-1])
    masked, _ = view.pixels(group.prompts, 0, sample, clean)
    grid = (int(grids[0][0]), int(grids[0][1]), int(grids[0][2]))
    return _picture(clean[0], grid, processor), _picture(masked[0], grid, processor)


def _picture(
    rows: FloatArray, grid: tuple[int, int, int], processor: PromptProcessor
) -> Image.Image:
    layout: PatchLayout = {
        "mean": processor.image_mean,
        "std": processor.image_std,
        "rescale": processor.rescale_factor,
        "patch_size": processor.patch_size,
        "temporal_patch_size": processor.temporal_patch_size,
        "merge_size": processor.merge_size,
    }
    frame = rows_to_frames(rows, grid, layout)[0]
    mean, std = (np.asarray(part)[:, None, None] for part in (layout["mean"], layout["std"]))
    picture = ((frame * std + mean) / layout["rescale"]).round().clip(0, 255).astype(np.uint8)
    return Image.fromarray(picture.transpose(1, 2, 0))


def _png(picture: Image.Image | None, max_side: int) -> bytes:
    if picture is None:
        return b""
    if max_side:
        picture.thumbnail((max_side, max_side))
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    return buffer.getvalue()
