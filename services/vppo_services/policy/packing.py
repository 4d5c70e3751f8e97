"""Rollouts packed into one row of tokens: no padding, no attention across rollouts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from vppo_core.batch.axes import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Rollout:
    """One rollout: prompt and response tokens, the images that it is scored with."""

    prompt_ids: IntArray
    response_ids: IntArray
    pixels: tuple[FloatArray, ...]
    grids: tuple[tuple[int, int, int], ...]

    def __len__(self) -> int:
        """Tokens, prompt and response."""
        return len(self.prompt_ids) + len(self.response_ids)


@dataclass(frozen=True, slots=True)
class PackedBatch:
    """Model inputs of several rollouts in one row, and where their responses are predicted."""

    input_ids: torch.Tensor  # [1, S]
    position_ids: torch.Tensor  # [4, 1, S] text position, then the three rotary axes
    pixel_values: torch.Tensor | None  # [R, F]
    image_grid_thw: torch.Tensor | None  # [I, 3]
    predict_at: torch.Tensor  # [N] positions whose hidden state predicts a response token
    response_tokens: torch.Tensor  # [N] the tokens that were sampled there


def pack(
    sequences: Sequence[Rollout], model: Any, *, image_token_id: int, pad_id: int, device: str
) -> PackedBatch:
    """Pack rollouts for `model`; their order is kept, and so is the order of response tokens.

    Without rollouts the result is a pad row that predicts nothing: a learner rank with an empty
    micro-batch still takes part in every collective.
    """
    nothing = Rollout(np.full(2, pad_id, dtype=np.int32), np.zeros(0, dtype=np.int32), (), ())
    joined = [
        (np.concatenate([s.prompt_ids, s.response_ids]), s.grids) for s in sequences or [nothing]
    ]
    positions = [_positions(row, grids, model, image_token_id) for row, grids in joined]
    rows = [row for row, _ in joined]
    starts = np.cumsum([0, *(len(row) for row in rows)])
    predict_at = [
        np.arange(len(s.response_ids)) + start + len(s.prompt_ids) - 1
        for s, start in zip(sequences, starts, strict=False)
    ]
    pixels = [p for s in sequences for p in s.pixels]
    grids = [g for s in sequences for g in s.grids]
    return PackedBatch(
        input_ids=_long(np.concatenate(rows), device)[None],
        position_ids=torch.cat(positions, dim=-1).to(device),
        pixel_values=torch.from_numpy(np.concatenate(pixels)).to(device) if pixels else None,
        image_grid_thw=_long(np.array(grids), device) if grids else None,
        predict_at=_long(_join(predict_at), device),
        response_tokens=_long(_join([s.response_ids for s in sequences]), device),
    )


def _positions(
    row: IntArray, grids: tuple[tuple[int, int, int], ...], model: Any, image_token_id: int
) -> torch.Tensor:
    ids = torch.from_numpy(row.astype(np.int64))[None]
    text = torch.arange(len(row))[None, None]
    if not grids:
        return text.expand(4, 1, -1)
    rope, _ = model.model.get_rope_index(
        ids,
        mm_token_type_ids=(ids == image_token_id).int(),
        image_grid_thw=torch.tensor(grids),
    )
    return torch.cat([text, rope.cpu()])


def _join(parts: list[Any]) -> Any:
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)


def _long(array: Any, device: str) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.int64)).to(device)
