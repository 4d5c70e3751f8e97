"""Prompts through a transformers model, and on from there one token at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import DynamicCache

from vppo_core.batch.prompts import PromptBatch


@dataclass(frozen=True, slots=True)
class StackedPrompts:
    """P prompts padded on the left to one length L, with the pixels of all their images."""

    ids: torch.Tensor  # [P, L]
    mask: torch.Tensor  # [P, L] True on tokens
    image_mask: torch.Tensor  # [P, L] 1 where a visual token stands: the processor's token types
    pixels: torch.Tensor  # [R, F]
    grids: torch.Tensor  # [I, 3]

    def to(self, device: str) -> "StackedPrompts":
        """The same on a device."""
        return StackedPrompts(*(getattr(self, name).to(device) for name in self.__slots__))


def stack_prompts(
    prompts: Sequence[PromptBatch], pixels: torch.Tensor, *, pad_id: int, image_token_id: int
) -> StackedPrompts:
    """Single prompts as one batch; `pixels` in the order of the prompts."""
    rows = [torch.from_numpy(prompt.ids(0)).long() for prompt in prompts]
    width = max(len(row) for row in rows)
    ids = torch.full((len(rows), width), pad_id)
    mask = torch.zeros(ids.shape, dtype=torch.bool)
    for index, row in enumerate(rows):
        ids[index, width - len(row) :] = row
        mask[index, width - len(row) :] = True
    grids = torch.cat([torch.tensor(prompt.image_grids).long() for prompt in prompts])
    is_image = ((ids == image_token_id) & mask).int()
    return StackedPrompts(ids, mask, is_image, pixels, grids)


class Decoder:
    """State of B answers; each step takes the tokens just drawn."""

    def __init__(self, model: Any, cache: Any, mask: torch.Tensor, position: torch.Tensor) -> None:
        self._model = model
        self._cache = cache
        self._mask = mask  # [B, L]
        self._position = position  # [B] rotary position of the next token

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        """Logits [B, V] after one more token per row [B]."""
        self._mask = torch.cat([self._mask, torch.ones_like(self._mask[:, :1])], dim=1)
        output = self._model(
            input_ids=tokens[:, None],
            attention_mask=self._mask,
            position_ids=self._position.view(1, -1, 1).expand(3, -1, 1),
            past_key_values=self._cache,
            use_cache=True,
        )
        self._position = self._position + 1
        return _last(output)


def prefill(
    model: Any, prompts: StackedPrompts, rows: torch.Tensor
) -> tuple[Decoder, torch.Tensor]:
    """The state after the prompts and the logits [B, V] of each row's first answer token.

    Args:
        rows: [B] which prompt each row answers; a prompt is computed once however many do.
    """
    has_images = len(prompts.grids) > 0
    positions, deltas = model.model.get_rope_index(
        prompts.ids,
        mm_token_type_ids=prompts.image_mask,
        image_grid_thw=prompts.grids if has_images else None,
        attention_mask=prompts.mask,
    )
    cache = DynamicCache(config=model.config)
    pictures = {"pixel_values": prompts.pixels, "image_grid_thw": prompts.grids}
    output = model(
        input_ids=prompts.ids,
        attention_mask=prompts.mask,
        position_ids=positions,
        mm_token_type_ids=prompts.image_mask,
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
        **(pictures if has_images else {}),
    )
    cache.batch_select_indices(rows)
    following = prompts.mask.sum(dim=1) + deltas.view(-1).to(prompts.mask.device)
    decoder = Decoder(model, cache, prompts.mask[rows], following[rows])
    return decoder, _last(output)[rows]


def _last(output: Any) -> torch.Tensor:
    logits: torch.Tensor = output.logits[:, -1]
    return logits
