"""The model's own processor: token ids of text and images, pixels of images, alike in all roles."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from PIL import Image

from vppo_core.batch.axes import FloatArray, IntArray
from vppo_core.errors import InvalidDataError
from vppo_services.data.chat import IMAGE_MARK, content_parts
from vppo_services.data.fingerprint import processor_fingerprint
from vppo_services.data.rows import BadPromptError, BadReason
from vppo_services.data.vision import (
    find_eos_ids,
    find_vision_tokens,
    first_line,
    load_processor_files,
    normalisation,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedPrompt:
    """One prompt as the model takes it, ready for its first answer token."""

    ids: IntArray
    """[L] token ids, visual tokens expanded."""

    grids: IntArray
    """[I, 3] patches of each image as (t, h, w)."""


class PromptProcessor:
    """A transformers processor with fixed pixel bounds; the only way a role makes model inputs.

    Example:
        processor = PromptProcessor.load(source, min_pixels=200_704, max_pixels=1_003_520)
        prompt = processor.encode("<image>How many triangles?", [picture])
        pixel_values, grids = processor.pixels([picture])
    """

    def __init__(self, processor: Any, *, eos_ids: Sequence[int], name: str) -> None:
        """Wrap a loaded processor whose image processor already has its pixel bounds."""
        self.name = name
        self.tokenizer = processor.tokenizer
        self._processor = processor
        self._image_processor = image = processor.image_processor
        self.patch_size = int(image.patch_size)
        self.temporal_patch_size = int(image.temporal_patch_size)
        self.merge_size = int(image.merge_size)
        self.image_mean, self.image_std = normalisation(image)
        self.rescale_factor = float(image.rescale_factor) if image.do_rescale else 1.0
        self.vision_tokens = find_vision_tokens(processor)
        self.banned_ids = tuple(sorted(self.vision_tokens.values()))
        self.image_token_id = int(processor.image_token_id)
        self.eos_ids = tuple(eos_ids)
        pad = self.tokenizer.pad_token_id
        self.pad_id = int(pad) if pad is not None else self.eos_ids[0]
        self.fingerprint: str = processor_fingerprint(processor)

    @classmethod
    def load(cls, source: str, *, revision: str = "", min_pixels: int, max_pixels: int) -> Self:
        """The processor of a folder or Hugging Face id, scaling images to the pixel bounds.

        Raises:
            InvalidDataError: nothing there, damaged, without chat template, or without an image
                processor of the Qwen-VL kind.
        """
        processor = load_processor_files(source, revision)
        processor.image_processor.size = {
            "shortest_edge": min_pixels,
            "longest_edge": max_pixels,
        }
        eos_ids = find_eos_ids(processor.tokenizer, source, revision)
        return cls(processor, eos_ids=eos_ids, name=source)

    def save(self, folder: Path) -> None:
        """Write the processor, pixel bounds included, where `load` finds it again."""
        self._processor.save_pretrained(folder)

    def encode(self, text: str, images: Sequence[Image.Image]) -> EncodedPrompt:
        """One user turn with its images in the model's chat format, up to where the answer begins.

        `text` holds one `<image>` where each image stands; a single image may go without and then
        stands first, as in the official data.

        Raises:
            BadPromptError: marks and images disagree in number, the text holds a vision token of
                the model, or the processor refuses an image.
        """
        self._refuse_vision_tokens(text)
        turn = {"role": "user", "content": content_parts(text, len(images))}
        rendered = self._processor.apply_chat_template(
            [turn], add_generation_prompt=True, tokenize=False
        )
        try:
            inputs = self._processor(
                text=[rendered],
                images=list(images) or None,
                return_tensors="pt",
                add_special_tokens=False,  # the template has them
            )
        except ValueError as error:
            raise BadPromptError(BadReason.REFUSED_IMAGE, first_line(error)) from error
        ids = inputs["input_ids"][0].numpy().astype(np.int32)
        grids = inputs["image_grid_thw"].numpy() if images else np.zeros((0, 3))
        prompt = EncodedPrompt(ids=ids, grids=grids.astype(np.int32))
        self._check_expansion(prompt)
        return prompt

    def pixels(self, images: Sequence[Image.Image]) -> tuple[FloatArray, IntArray]:
        """Normalised patches [R, C * temporal * patch * patch] of all images, and grids [I, 3].

        Rows stand image by image in the order (t, h/merge, w/merge, merge, merge); an image has as
        many as its grid's product. The grids equal those of `encode` for the same images.
        """
        if not images:
            width = len(self.image_mean) * self.temporal_patch_size * self.patch_size**2
            return np.zeros((0, width), dtype=np.float32), np.zeros((0, 3), dtype=np.int32)
        inputs = self._image_processor(images=list(images), return_tensors="pt")
        pixels = inputs["pixel_values"].float().numpy()
        return pixels, inputs["image_grid_thw"].numpy().astype(np.int32)

    @property
    def image_size(self) -> dict[str, int]:
        """The pixel bounds as transformers and vLLM take them: the processor's argument `size`."""
        size = self._image_processor.size
        return {key: int(size[key]) for key in ("shortest_edge", "longest_edge")}

    def decode(self, ids: Sequence[int], *, skip_special_tokens: bool = True) -> str:
        """Text of token ids, without end and padding tokens unless asked for."""
        text: str = self.tokenizer.decode(
            [int(i) for i in ids], skip_special_tokens=skip_special_tokens
        )
        return text

    def collapse(self, ids: Sequence[int]) -> list[int]:
        """Token ids with one image token per image: what vLLM takes beside the images."""
        out: list[int] = []
        for token in map(int, ids):
            if token != self.image_token_id or not out or out[-1] != token:
                out.append(token)
        return out

    def _refuse_vision_tokens(self, text: str) -> None:
        for token in self.vision_tokens:
            if token in text:
                raise BadPromptError(
                    BadReason.SPECIAL_TOKEN,
                    f"a question must not hold the model's own vision token {token}; "
                    f"mark images by {IMAGE_MARK}",
                )

    def _check_expansion(self, prompt: EncodedPrompt) -> None:
        merged = self.merge_size**2
        wanted = int(sum(int(grid.prod()) // merged for grid in prompt.grids))
        got = int((prompt.ids == self.image_token_id).sum())
        runs = self.collapse(prompt.ids.tolist()).count(self.image_token_id)
        if got != wanted or runs != len(prompt.grids):
            raise InvalidDataError(
                f"the chat template of '{self.name}' must place every image once and apart from "
                f"the others; {len(prompt.grids)} images of {wanted} visual tokens became {runs} "
                f"runs of {got}; use the template that came with the model"
            )
