"""Prompts: token ids with visual tokens expanded, and the images as encoded bytes, once."""

from dataclasses import dataclass

import numpy as np

from vppo_core.batch.axes import ByteArray, IntArray, LongArray, check_axes


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptBatch:
    """P prompts and their I images, as one processor call made them.

    The grid of an image is the processor's `(t, h, w)` in patches. Every role that decodes an image
    again asserts its grid and the fingerprint, so that tokens and pixels cannot drift apart.
    """

    uids: tuple[str, ...]  # [P] stable name of the row in its source
    visits: IntArray  # [P] how often this row was drawn before; part of every seed
    prompt_ids: IntArray  # [P, L] padded right with zeros
    prompt_lengths: IntArray  # [P]
    image_bytes: ByteArray  # [N] all encoded images, one after another
    image_offsets: LongArray  # [I + 1] where each image starts; the last is N
    image_prompt: IntArray  # [I] row of the prompt it belongs to, ascending
    image_grids: IntArray  # [I, 3]
    problems: tuple[str, ...]  # [P] question as the data set has it
    answers: tuple[str, ...]  # [P] reference answer
    processor_fingerprint: str

    def __post_init__(self) -> None:
        sizes = check_axes(
            "PromptBatch",
            visits=(self.visits, "P"),
            prompt_ids=(self.prompt_ids, "P L"),
            prompt_lengths=(self.prompt_lengths, "P"),
            image_prompt=(self.image_prompt, "I"),
            image_grids=(self.image_grids, "I three"),
        )
        assert len(self.uids) == len(self.problems) == len(self.answers) == sizes["P"]
        assert len(self.image_offsets) == sizes["I"] + 1

    def __len__(self) -> int:
        """Number of prompts."""
        return len(self.uids)

    def ids(self, prompt: int) -> IntArray:
        """Token ids of one prompt, without padding."""
        return self.prompt_ids[prompt, : self.prompt_lengths[prompt]]

    def image_indices(self, prompt: int) -> list[int]:
        """Positions of one prompt's images, in the order of the text."""
        return [int(i) for i in np.flatnonzero(self.image_prompt == prompt)]

    def image(self, index: int) -> bytes:
        """Encoded bytes of one image."""
        return self.image_bytes[self.image_offsets[index] : self.image_offsets[index + 1]].tobytes()
