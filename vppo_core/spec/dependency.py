"""How much a token leans on the image: the masked view and the estimator."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from vppo_core.spec.base import SpecModel, UnitInterval


class DependencyEstimator(StrEnum):
    """What is measured between the policy with the image and with the masked image."""

    KL_FULL = "kl_full"
    KL_SAMPLED = "kl_sampled"
    JSD = "jsd"
    TOP1_DROP = "top1_drop"


class MaskFill(StrEnum):
    """What a masked patch is replaced with."""

    BLACK = "black"
    GREY = "grey"
    NOISE = "noise"
    BLUR = "blur"


class MaskGrid(StrEnum):
    """Unit of masking: the model's patch, its merged visual token, or 14 px before the resize."""

    PATCH = "patch"
    MERGE = "merge"
    REFERENCE = "reference"


class MaskScope(StrEnum):
    """Whether every rollout has its own mask or a group shares one."""

    ROLLOUT = "rollout"
    GROUP = "group"


class HeadPrecision(StrEnum):
    """Numbers in which the vocabulary head is computed for scoring and training."""

    FLOAT32 = "float32"
    MODEL = "model"


class DependencySpec(SpecModel):
    """The perturbed view of the image and the estimate of token dependency."""

    enabled: bool = True
    """Score a masked view; needed by shaping and token filtering, else only measured."""

    estimator: DependencyEstimator = DependencyEstimator.KL_FULL
    """Exact KL over the vocabulary, its one-sample estimate, Jensen-Shannon or probability drop."""

    mask_ratio: UnitInterval = 0.5
    """Probability that a patch is masked, independently of the others."""

    fill: MaskFill = MaskFill.BLACK
    """What a masked patch is replaced with."""

    grid: MaskGrid = MaskGrid.PATCH
    """Unit of masking, read from the model's own processor."""

    scope: MaskScope = MaskScope.ROLLOUT
    """One mask per rollout, as in the paper, or one per group."""

    max_nats: Annotated[float, Field(gt=0.0, le=1000.0)] = 10.0
    """Upper clamp: one token must not own the ranking."""

    head_precision: HeadPrecision = HeadPrecision.FLOAT32
    """Numbers of the vocabulary head: float32 keeps the noise below the signal."""

    chunk_tokens: Annotated[int, Field(ge=1, le=65_536)] = 512
    """Response tokens whose logits exist at the same time."""

    chunk_vocabulary: Annotated[int, Field(ge=128, le=1_000_000)] = 16_384
    """Vocabulary columns whose logits exist at the same time."""

    max_tokens_per_pass: Annotated[int, Field(ge=64, le=10_000_000)] = 16_384
    """Packed tokens in one forward pass of the dependency role."""

    timeout_seconds: Annotated[int, Field(ge=10, le=86_400)] = 1800
    """A replica that answers no group for this long counts as dead."""
