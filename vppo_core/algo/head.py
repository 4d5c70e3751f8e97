"""The vocabulary head in tiles of tokens x vocabulary, so that logits [N, V] never exist whole."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypedDict

import torch
from jaxtyping import Float, Int
from torch import Tensor

BAN_BIAS = -100.0
"""Added to the logit of a banned id, as the sampler's `logit_bias` does."""


class HeadOptions(TypedDict, total=False):
    """Keywords of every function that looks at the whole vocabulary; defaults as in `Tiling`."""

    temperature: float
    banned_ids: Tensor | None
    chunk_tokens: int
    chunk_vocabulary: int
    precision: torch.dtype | None


@dataclass(frozen=True, slots=True)
class Tiling:
    """How logits are computed, and how many of them exist at the same time.

    Args:
        temperature: logits are divided by it, after the bias of banned ids.
        banned_ids: int64 [K] ids that the sampler never emits; their logits get -100 added.
        chunk_tokens: rows of one tile.
        chunk_vocabulary: columns of one tile.
        precision: numbers of the matrix product, raised to the hidden states' own when these are
            wider. None means the model's own numbers, converted to float32 for the softmax.
    """

    temperature: float = 1.0
    banned_ids: Tensor | None = None
    chunk_tokens: int = 512
    chunk_vocabulary: int = 16_384
    precision: torch.dtype | None = torch.float32

    def __post_init__(self) -> None:
        if not self.temperature > 0.0:
            raise ValueError(f"temperature must be above 0, got {self.temperature}; 1.0 is usual")
        if self.chunk_tokens < 1 or self.chunk_vocabulary < 1:
            raise ValueError(
                "chunk_tokens and chunk_vocabulary must be at least 1, "
                f"got {self.chunk_tokens} and {self.chunk_vocabulary}; 512 and 16384 are usual"
            )

    def compute_dtype(self, hidden: Tensor) -> torch.dtype:
        """Numbers of the matrix product."""
        if self.precision is None:
            return hidden.dtype
        return torch.promote_types(hidden.dtype, self.precision)

    def softmax_dtype(self, hidden: Tensor) -> torch.dtype:
        """Numbers of the softmax and of the result: float32, or float64 for float64 input."""
        return torch.promote_types(self.compute_dtype(hidden), torch.float32)

    def rows(self, num_rows: int) -> list[slice]:
        """Row ranges of the tiles."""
        step = self.chunk_tokens
        return [slice(start, min(start + step, num_rows)) for start in range(0, num_rows, step)]

    def blocks(self, weight: Float[Tensor, "V D"], dtype: torch.dtype) -> Iterator["HeadBlock"]:
        """The head in blocks of vocabulary, each converted to `dtype` once.

        Converted blocks share one allocation: a block is valid until the next one is asked for.
        """
        banned = [] if self.banned_ids is None else sorted(set(self.banned_ids.tolist()))
        width = min(self.chunk_vocabulary, weight.shape[0])
        buffer = None
        if weight.dtype != dtype:
            buffer = torch.empty(width, weight.shape[1], dtype=dtype, device=weight.device)
        for start in range(0, weight.shape[0], width):
            block = weight[start : start + width]
            if buffer is not None:
                block = buffer[: block.shape[0]].copy_(block)
            local = tuple(i - start for i in banned if start <= i < start + block.shape[0])
            yield HeadBlock(start, block, local, self.temperature)

    def scratch(self, hidden: Tensor, weight: Tensor) -> "Scratch":
        """Memory for one tile, to be used again for all of them."""
        size = min(self.chunk_tokens, hidden.shape[0]) * min(self.chunk_vocabulary, weight.shape[0])
        return Scratch(torch.empty(size, dtype=self.softmax_dtype(hidden), device=hidden.device))


@dataclass(frozen=True, slots=True)
class Scratch:
    """One flat allocation: fresh pages for every tile would cost more than its exponentials."""

    flat: Float[Tensor, " size"]

    def tile(self, num_rows: int, num_columns: int) -> Float[Tensor, "n v"]:
        """A contiguous [n, v] view of the allocation."""
        return self.flat[: num_rows * num_columns].view(num_rows, num_columns)


@dataclass(frozen=True, slots=True)
class HeadBlock:
    """A range of the vocabulary; everything indexed by its own columns."""

    start: int
    weight: Float[Tensor, "v D"]
    banned: tuple[int, ...]
    temperature: float

    def logits(self, hidden: Float[Tensor, "n D"], scratch: Scratch) -> Float[Tensor, "n v"]:
        """Biased and tempered logits, written into `scratch`."""
        out = scratch.tile(hidden.shape[0], self.weight.shape[0])
        if out.dtype == hidden.dtype:
            torch.matmul(hidden, self.weight.T, out=out)
        else:
            out.copy_(hidden @ self.weight.T)
        for column in self.banned:
            out[:, column].add_(BAN_BIAS)
        if self.temperature != 1.0:
            out.div_(self.temperature)
        return out

    def locate(self, token_ids: Int[Tensor, " n"]) -> tuple[Int[Tensor, " n"], Tensor]:
        """Columns of the tokens, clamped into this block, and which of them are inside it."""
        local = token_ids - self.start
        inside = (local >= 0) & (local < self.weight.shape[0])
        return local.clamp(0, self.weight.shape[0] - 1), inside


class OnlineSoftmax:
    """Softmax statistics of N rows whose logits come block by block.

    Four float64 numbers per row: they keep differences of large normalisers exact at no cost that
    shows beside a tile.
    """

    def __init__(self, num_rows: int, device: torch.device) -> None:
        def filled(value: float) -> Tensor:
            return torch.full((num_rows,), value, dtype=torch.float64, device=device)

        self.maximum = filled(-torch.inf)
        self.total = filled(0.0)
        self.moment = filled(0.0)
        self.token_logit = filled(torch.nan)  # an id outside the vocabulary must not pass as 0

    def take_tokens(
        self,
        rows: slice,
        block: HeadBlock,
        logits: Float[Tensor, "n v"],
        token_ids: Int[Tensor, " n"],
    ) -> None:
        """Remember the logits of the tokens that lie in this block."""
        columns, inside = block.locate(token_ids)
        found = logits.gather(1, columns[:, None]).squeeze(1).double()
        self.token_logit[rows] = torch.where(inside, found, self.token_logit[rows])

    def update(
        self,
        rows: slice,
        maximum: Float[Tensor, " n"],
        total: Float[Tensor, " n"],
        moment: Float[Tensor, " n"] | None = None,
    ) -> None:
        """Add a block: `total` sums w, `moment` sums w * value, with w = exp(logit - maximum)."""
        old, peak = self.maximum[rows], maximum.double()
        new = torch.maximum(old, peak)
        fade, gain = (old - new).exp(), (peak - new).exp()
        self.maximum[rows] = new
        self.total[rows] = self.total[rows] * fade + total.double() * gain
        if moment is not None:
            self.moment[rows] = self.moment[rows] * fade + moment.double() * gain

    def log_normaliser(self) -> Float[Tensor, " N"]:
        """Log of the sum of all exponentials."""
        return self.maximum + self.total.log()

    def token_log_probs(self) -> Float[Tensor, " N"]:
        """Log-probs of the tokens, nats; NaN for an id outside the vocabulary."""
        return self.token_logit - self.log_normaliser()

    def expectation(self) -> Float[Tensor, " N"]:
        """Mean of the value under the softmax."""
        return self.moment / self.total


def subtract_maximum(logits: Float[Tensor, "n v"]) -> Float[Tensor, " n"]:
    """Shift rows in place so that their largest entry is 0; returns what was taken off."""
    maximum = logits.amax(dim=-1)
    logits.sub_(maximum[:, None])
    return maximum
