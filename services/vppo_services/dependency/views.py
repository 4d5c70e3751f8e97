"""The masked view of a rollout's images: seeded, replayable, on the model's own patch grid."""

import numpy as np
from PIL import Image

from vppo_core.algo.perturbation import apply_mask, patch_mask, reference_blacken, text_key
from vppo_core.batch.axes import FloatArray
from vppo_core.batch.prompts import PromptBatch
from vppo_core.spec.dependency import DependencySpec, MaskGrid, MaskScope
from vppo_services.data.images import open_image
from vppo_services.data.processor import PromptProcessor


class MaskedView:
    """Makes the perturbed pixels of one rollout from the clean ones."""

    def __init__(self, spec: DependencySpec, processor: PromptProcessor, *, run_seed: int) -> None:
        self._spec = spec
        self._processor = processor
        self._run_seed = run_seed

    def seed_key(
        self, prompts: PromptBatch, prompt: int, sample: int, image: int
    ) -> tuple[int, ...]:
        """What the mask is a pure function of: run, prompt, visit, sample and image.

        The step is left out on purpose: scoring again after a crash must draw the same mask.
        """
        draw = 0 if self._spec.scope is MaskScope.GROUP else sample + 1
        uid = text_key(prompts.uids[prompt])
        return (self._run_seed, uid, int(prompts.visits[prompt]), draw, image)

    def pixels(
        self, prompts: PromptBatch, prompt: int, sample: int, clean: list[FloatArray]
    ) -> tuple[list[FloatArray], bool]:
        """Pixels with masked patches, and whether any pixel differs from the clean ones."""
        indices = prompts.image_indices(prompt)
        if self._spec.grid is MaskGrid.REFERENCE:
            perturbed = self._before_resize(prompts, prompt, sample, indices)
        else:
            perturbed = [
                self._on_grid(prompts, prompt, sample, order, index, pixels)
                for order, (index, pixels) in enumerate(zip(indices, clean, strict=True))
            ]
        changed = any(not np.array_equal(a, b) for a, b in zip(clean, perturbed, strict=True))
        return perturbed, changed

    def _on_grid(
        self,
        prompts: PromptBatch,
        prompt: int,
        sample: int,
        order: int,
        index: int,
        pixels: FloatArray,
    ) -> FloatArray:
        processor, spec = self._processor, self._spec
        t, h, w = (int(n) for n in prompts.image_grids[index])
        key = self.seed_key(prompts, prompt, sample, order)
        mask = patch_mask(
            key,
            (t, h, w),
            ratio=spec.mask_ratio,
            merge_size=processor.merge_size,
            unit=spec.grid.value,
        )
        return apply_mask(
            pixels,
            mask,
            fill=spec.fill.value,
            mean=processor.image_mean,
            std=processor.image_std,
            patch_size=processor.patch_size,
            temporal_patch_size=processor.temporal_patch_size,
            merge_size=processor.merge_size,
            grid=(t, h, w),
            seed_key=key,
            rescale=processor.rescale_factor,
        )

    def _before_resize(
        self, prompts: PromptBatch, prompt: int, sample: int, indices: list[int]
    ) -> list[FloatArray]:
        masked = []
        for order, index in enumerate(indices):
            image = np.asarray(open_image(prompts.image(index)))
            key = self.seed_key(prompts, prompt, sample, order)
            black = reference_blacken(image, key, ratio=self._spec.mask_ratio)
            masked.append(Image.fromarray(black))
        pixels, grids = self._processor.pixels(masked)
        return np.split(pixels, np.cumsum(grids.prod(axis=1))[:-1])
