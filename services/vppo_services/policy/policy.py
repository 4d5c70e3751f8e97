"""The policy as a module: packed inputs in, log-probs of the response tokens out.

The vocabulary head is applied inside `forward`, to response positions only and in chunks, so that
FSDP gathers its weight with the rest and `[T, V]` logits never exist.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from vppo_core.algo.log_probs import chunked_log_probs, chunked_log_probs_and_entropy
from vppo_services.policy.packing import PackedBatch, Rollout, pack


@dataclass(frozen=True, slots=True)
class HeadSettings:
    """How hidden states become log-probs, the same for scoring and training."""

    temperature: float
    banned_ids: tuple[int, ...]
    chunk_tokens: int
    chunk_vocabulary: int
    precision: torch.dtype | None

    def arguments(self, device: torch.device) -> dict[str, Any]:
        """Keyword arguments of the functions in `vppo_core.algo`."""
        return {
            "temperature": self.temperature,
            "banned_ids": torch.tensor(self.banned_ids, dtype=torch.long, device=device),
            "chunk_tokens": self.chunk_tokens,
            "chunk_vocabulary": self.chunk_vocabulary,
            "precision": self.precision,
        }


class Policy(nn.Module):
    """A vision-language model with its head settings and token ids."""

    def __init__(self, model: Any, head: HeadSettings, *, image_token_id: int, pad_id: int) -> None:
        super().__init__()
        self.model = model
        self.head = head
        self.image_token_id = image_token_id
        self.pad_id = pad_id

    def pack(self, rollouts: Sequence[Rollout], device: str) -> PackedBatch:
        """Model inputs of these rollouts in one row."""
        return pack(
            rollouts,
            self.model,
            image_token_id=self.image_token_id,
            pad_id=self.pad_id,
            device=device,
        )

    def hidden_states(self, packed: PackedBatch) -> torch.Tensor:
        """States [N, D] that predict the response tokens."""
        pixels = packed.pixel_values
        output = self.model.model(
            input_ids=packed.input_ids,
            position_ids=packed.position_ids,
            pixel_values=None if pixels is None else pixels.to(self.head_weight.dtype),
            image_grid_thw=packed.image_grid_thw,
            use_cache=False,
        )
        hidden: torch.Tensor = output.last_hidden_state[0, packed.predict_at]
        return hidden

    @property
    def head_weight(self) -> torch.Tensor:
        """Weight [V, D] of the vocabulary head."""
        weight: torch.Tensor = self.model.get_output_embeddings().weight
        return weight

    def forward(
        self, packed: PackedBatch, *, with_entropy: bool
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Log-probs [N] of the response tokens and, when asked for, entropies [N], in nats."""
        hidden = self.hidden_states(packed)
        if packed.pixel_values is None:
            hidden = hidden + self._touch_vision()
        settings = self.head.arguments(hidden.device)
        arguments = (hidden, self.head_weight, packed.response_tokens)
        if with_entropy:
            return chunked_log_probs_and_entropy(*arguments, **settings)
        log_probs = chunked_log_probs(*arguments, **settings)
        return log_probs, torch.zeros_like(log_probs)

    def _touch_vision(self) -> torch.Tensor:
        # Ranks without an image must reduce the same gradients as ranks with one, as zeros.
        zero = self.head_weight.new_zeros(())
        for parameter in self.model.model.visual.parameters():
            if parameter.requires_grad:
                zero = zero + 0.0 * parameter.flatten()[0]
        return zero
