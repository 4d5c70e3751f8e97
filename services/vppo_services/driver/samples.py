"""Answers of the last step as the report shows them: tokens, dependency, image, masked image."""

import io
from collections.abc import Sequence

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

_PER_GROUP = 2


def answer_samples(
    job: VPPOJobSpec,
    processor: PromptProcessor,
    groups: Sequence[GroupArrays],
    batches: Sequence[Assembled],
    *,
    step: int,
    count: int = 8,
) -> list[AnswerSample]:
    """The best and the worst answer of the first groups: right and wrong ones side by side."""
    view = MaskedView(job.dependency, processor, run_seed=job.seed)
    samples: list[AnswerSample] = []
    first = batches[0]
    size = job.learner.prompts_per_update
    for index, group in enumerate(groups[:size]):
        rows = np.flatnonzero(first.batch.prompt_index == index)
        order = np.argsort(group.rewards.rewards, kind="stable")
        for sample in dict.fromkeys((int(order[-1]), int(order[0]))):
            if len(samples) == count:
                return samples
            row = int(rows[sample])
            samples.append(_sample(group, sample, first, row, processor, view, step))
    return samples


def _sample(
    group: GroupArrays,
    sample: int,
    assembled: Assembled,
    row: int,
    processor: PromptProcessor,
    view: MaskedView,
    step: int,
) -> AnswerSample:
    mask = assembled.batch.response_mask[row]
    ids = assembled.batch.response_ids[row][mask]
    clean, masked = _pictures(group, sample, processor, view)
    return AnswerSample(
        step=step,
        problem=group.prompts.problems[0],
        reference=group.prompts.answers[0],
        tokens=[processor.decode([int(i)], skip_special_tokens=False) for i in ids],
        dependency=assembled.token_dependency[row][mask].tolist(),
        kept=assembled.keep_mask[row][mask].tolist(),
        reward=float(group.rewards.rewards[sample]),
        advantage=float(assembled.batch.advantages[row]),
        image_png=clean,
        masked_png=masked,
    )


def _pictures(
    group: GroupArrays, sample: int, processor: PromptProcessor, view: MaskedView
) -> tuple[bytes, bytes]:
    """The first image and its masked view, both as the model gets them."""
    indices = group.prompts.image_indices(0)
    if not indices:
        return b"", b""
    images = [open_image(group.prompts.image(index)) for index in indices]
    pixels, grids = processor.pixels(images)
    clean = np.split(pixels, np.cumsum(grids.prod(axis=1))[:-1])
    masked, _ = view.pixels(group.prompts, 0, sample, clean)
    grid = (int(grids[0][0]), int(grids[0][1]), int(grids[0][2]))
    return _png(clean[0], grid, processor), _png(masked[0], grid, processor)


def _png(rows: FloatArray, grid: tuple[int, int, int], processor: PromptProcessor) -> bytes:
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
    buffer = io.BytesIO()
    Image.fromarray(picture.transpose(1, 2, 0)).save(buffer, format="PNG")
    return buffer.getvalue()
