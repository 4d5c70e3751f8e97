"""A prompt's pictures and tokens, checked against what the prompt recorded."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from vppo_core.batch.prompts import PromptBatch
from vppo_core.errors import ConsistencyError
from vppo_services.data.images import open_image
from vppo_services.data.processor import PromptProcessor


def open_images(prompt: PromptBatch, processor: PromptProcessor) -> list[Image.Image]:
    """The pictures of a single prompt, in the order of its text.

    Raises:
        ConsistencyError: the prompt was made by another processor.
    """
    assert len(prompt) == 1, "an engine takes prompts one by one"
    if prompt.processor_fingerprint != processor.fingerprint:
        raise ConsistencyError(
            f"prompt {prompt.uids[0]} was made by processor {prompt.processor_fingerprint[:12]}, "
            f"rollout has {processor.fingerprint[:12]}; all roles must load one model revision"
        )
    return [open_image(prompt.image(index)) for index in prompt.image_indices(0)]


def check_grids(prompt: PromptBatch, grids: npt.NDArray[Any]) -> None:
    """Refuse an engine that would see the pictures in other patches than the prompt's tokens say.

    Raises:
        ConsistencyError: `grids` [I, 3] differ from the prompt's.
    """
    if not np.array_equal(grids, prompt.image_grids):
        raise ConsistencyError(
            f"images of prompt {prompt.uids[0]} give patch grids {grids.tolist()}, its tokens were "
            f"made for {prompt.image_grids.tolist()}; all roles must load one model revision"
        )


def check_ids(prompt: PromptBatch, ids: Sequence[int]) -> None:
    """Refuse an engine that expands the prompt to other tokens.

    Raises:
        ConsistencyError: `ids` differ from the prompt's.
    """
    expected = prompt.ids(0).tolist()
    if list(ids) != expected:
        pairs = zip(ids, expected, strict=False)
        first = next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(ids), len(expected)))
        raise ConsistencyError(
            f"prompt {prompt.uids[0]} has {len(expected)} tokens, the engine makes {len(ids)} of "
            f"it and differs from position {first}; all roles must load one model revision"
        )
