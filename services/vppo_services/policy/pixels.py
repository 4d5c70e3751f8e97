"""Pixels of prompts, made again from their bytes and checked against what the prompt recorded."""

import hashlib
from collections import OrderedDict

import numpy as np

from vppo_core.batch.axes import FloatArray
from vppo_core.batch.prompts import PromptBatch
from vppo_core.errors import ConsistencyError
from vppo_services.data.images import open_image
from vppo_services.data.processor import PromptProcessor


class PixelCache:
    """Processor output per prompt, a few prompts deep: a group asks for the same images G times."""

    def __init__(self, processor: PromptProcessor, *, max_prompts: int = 16) -> None:
        self.processor = processor
        self._max_prompts = max_prompts
        self._cache: OrderedDict[bytes, list[FloatArray]] = OrderedDict()

    def of(self, prompts: PromptBatch, prompt: int) -> list[FloatArray]:
        """`pixel_values` rows of each image of one prompt, in the order of its text.

        Raises:
            ConsistencyError: this process would make other pixels than the prompt was built with.
        """
        if prompts.processor_fingerprint != self.processor.fingerprint:
            raise ConsistencyError(
                f"prompt {prompts.uids[prompt]} was made by processor "
                f"{prompts.processor_fingerprint[:12]}, this role has "
                f"{self.processor.fingerprint[:12]}; all roles must load one model revision"
            )
        images = [prompts.image(index) for index in prompts.image_indices(prompt)]
        # By content: rows of two data sets may have the same name.
        key = hashlib.sha256(b"|".join(images)).digest()
        if key not in self._cache:
            self._cache[key] = self._decode(prompts, prompt)
            if len(self._cache) > self._max_prompts:
                self._cache.popitem(last=False)
        self._cache.move_to_end(key)
        return self._cache[key]

    def _decode(self, prompts: PromptBatch, prompt: int) -> list[FloatArray]:
        indices = prompts.image_indices(prompt)
        if not indices:
            return []
        images = [open_image(prompts.image(index)) for index in indices]
        pixels, grids = self.processor.pixels(images)
        expected = prompts.image_grids[indices]
        if not np.array_equal(grids, expected):
            raise ConsistencyError(
                f"images of prompt {prompts.uids[prompt]} give patch grids {grids.tolist()}, its "
                f"tokens were made for {expected.tolist()}; all roles must load one model revision"
            )
        ends = np.cumsum(grids.prod(axis=1))
        return np.split(pixels, ends[:-1])
