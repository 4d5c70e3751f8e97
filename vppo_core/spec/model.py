"""Which checkpoint is trained, and in which numbers."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from vppo_core.spec.base import ShortText, SpecModel, Uri


class DType(StrEnum):
    """Number format of the forward and backward pass; master weights stay float32."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


class Attention(StrEnum):
    """Attention kernel of the learner and the dependency role."""

    SDPA = "sdpa"
    EAGER = "eager"
    FLASH_ATTENTION_2 = "flash_attention_2"


class ModelSpec(SpecModel):
    """The vision-language model that is trained."""

    source: Annotated[Uri, Field(min_length=1)]
    """Hugging Face id, local folder, or `demo://NAME` for a tiny model made on first use."""

    revision: ShortText = ""
    """Branch, tag or commit of a Hugging Face id; empty means the default branch."""

    dtype: DType = DType.BFLOAT16
    """Number format of the forward and backward pass; master weights stay float32."""

    attention: Attention = Attention.SDPA
    """Attention kernel of the learner and the dependency role."""

    freeze_vision: bool = False
    """Keep the vision tower and its merger at their loaded weights."""

    min_pixels: Annotated[int, Field(ge=1, le=100_000_000)] = 200_704
    """Images below this many pixels are scaled up, keeping their shape."""

    max_pixels: Annotated[int, Field(ge=1, le=100_000_000)] = 1_003_520
    """Images above this many pixels are scaled down, keeping their shape."""
