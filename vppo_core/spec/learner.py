"""Optimizer steps, memory and checkpoints."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from vppo_core.spec.base import SpecModel, Uri


class Optimizer(StrEnum):
    """AdamW with float32 states, or bfloat16 states with Kahan compensation."""

    ADAMW = "adamw"
    ADAMW_BF16_KAHAN = "adamw_bf16_kahan"


class LearnerSpec(SpecModel):
    """One optimizer step per mini-batch on finished advantages and masks."""

    num_steps: Annotated[int, Field(ge=1, le=10_000_000)] = 202
    """Steps to train; each samples, scores and trains `rollout.promptsPerStep` groups."""

    prompts_per_update: Annotated[int, Field(ge=1, le=65_536)] = 128
    """Groups in one optimizer step; divides `rollout.promptsPerStep`."""

    optimizer: Optimizer = Optimizer.ADAMW
    """AdamW with float32 states, or bfloat16 states with Kahan compensation."""

    learning_rate: Annotated[float, Field(gt=0.0, le=1.0)] = 0.000001
    """Step size after warm-up."""

    warmup_updates: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    """Optimizer steps over which the rate rises linearly."""

    weight_decay: Annotated[float, Field(ge=0.0, le=1.0)] = 0.01
    """Decoupled weight decay."""

    beta1: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.9
    """Decay of the first moment."""

    beta2: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.999
    """Decay of the second moment."""

    epsilon: Annotated[float, Field(gt=0.0, le=0.01)] = 0.00000001
    """Term that keeps the step finite."""

    max_grad_norm: Annotated[float, Field(gt=0.0, le=1000.0)] = 1.0
    """Gradients with a larger global norm are scaled down to it."""

    max_tokens_per_micro_batch: Annotated[int, Field(ge=1, le=10_000_000)] = 16_384
    """Packed tokens in one forward and backward pass of a rank; memory, never the result."""

    gradient_checkpointing: bool = True
    """Recompute activations in the backward pass to save memory."""

    max_skipped_updates: Annotated[int, Field(ge=1, le=1000)] = 3
    """Updates in a row with a gradient that is not finite before the job stops."""

    timeout_seconds: Annotated[int, Field(ge=10, le=86_400)] = 1800
    """An update or a weight transfer that takes longer counts as dead."""


class CheckpointSpec(SpecModel):
    """What is saved, where, and how often."""

    uri: Uri = ""
    """Any fsspec address; empty means `checkpoints` in the run's folder."""

    every_steps: Annotated[int, Field(ge=1, le=1_000_000)] = 5
    """Steps between two checkpoints; the last step always writes one."""

    keep_last: Annotated[int, Field(ge=1, le=1000)] = 2
    """Complete checkpoints that are kept."""
