"""Advantage, shaping, filtering, clipping and penalties: the method as fields."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from vppo_core.spec.base import SpecModel, UnitInterval


class Advantage(StrEnum):
    """Baseline and scale of a reward within its group."""

    GROUP_STD = "group_std"
    GROUP_MEAN = "group_mean"
    LEAVE_ONE_OUT = "leave_one_out"


class Shaping(StrEnum):
    """Trajectory-level advantage shaping (TAS): off, mean-one scale, or a fixed upper bound."""

    NONE = "none"
    DYNAMIC = "dynamic"
    FIXED = "fixed"


class ShapingScope(StrEnum):
    """The set whose minimum and mean define the shaping weights."""

    MINI_BATCH = "mini_batch"
    REFERENCE_DEVICE = "reference_device"


class ShapingTarget(StrEnum):
    """Which advantages are shaped."""

    ALL = "all"
    POSITIVE_ONLY = "positive_only"


class KeepRounding(StrEnum):
    """How many tokens a ratio keeps: exact integer ceiling, or the official float32 one."""

    EXACT = "exact"
    FLOAT32 = "float32"


class Penalty(StrEnum):
    """Regulariser: the negative log-likelihood of sampled tokens, or the true entropy."""

    NLL_SAMPLED = "nll_sampled"
    ENTROPY_FULL = "entropy_full"


class AlgorithmSpec(SpecModel):
    """VPPO on a DAPO base; GRPO and DAPO are other values of the same fields."""

    advantage: Advantage = Advantage.GROUP_STD
    """Baseline and scale of a reward within its group."""

    shaping: Shaping = Shaping.DYNAMIC
    """Trajectory-level advantage shaping by mean token dependency; `none` switches it off."""

    shaping_min: Annotated[float, Field(ge=0.0, le=1.0)] = 0.9
    """Weight of the trajectory that leans on the image least."""

    shaping_max: Annotated[float, Field(ge=1.0, le=10.0)] = 1.1
    """Weight of the trajectory that leans on it most, when shaping is `fixed`."""

    shaping_cap: Annotated[float, Field(ge=0.0, le=1000.0)] = 0.0
    """Upper bound of a dynamic weight; 0 means none."""

    shaping_scope: ShapingScope = ShapingScope.MINI_BATCH
    """The set whose statistics define the weights."""

    shaping_target: ShapingTarget = ShapingTarget.ALL
    """Shape all advantages, as in the paper, or the positive ones."""

    token_keep_ratio: Annotated[float, Field(gt=0.0, le=1.0)] = 0.4
    """Fraction of response tokens, by visual dependency, that keep their gradient; 1 keeps all."""

    token_keep_rounding: KeepRounding = KeepRounding.EXACT
    """How the ratio becomes a count of tokens."""

    clip_ratio_low: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.2
    """The importance ratio is clipped below 1 minus this."""

    clip_ratio_high: Annotated[float, Field(gt=0.0, le=10.0)] = 0.28
    """The importance ratio is clipped above 1 plus this."""

    dual_clip: Annotated[float, Field(ge=0.0, le=100.0)] = 3.0
    """Bound of the loss of a negative advantage, in multiples of it; 0 means none, else above 1."""

    penalty: Penalty = Penalty.NLL_SAMPLED
    """What `penaltyCoef` multiplies."""

    penalty_coef: Annotated[float, Field(ge=-1.0, le=1.0)] = 0.06
    """Weight of the penalty in the loss; 0 switches it off."""

    reference_kl_coef: Annotated[float, Field(ge=0.0, le=10.0)] = 0.0
    """Weight of the KL to the loaded model; 0 loads no reference."""

    dynamic_sampling: bool = True
    """Drop groups whose answers are all right or all wrong and sample others for them."""

    filter_low: UnitInterval = 0.01
    """Groups with a mean accuracy at or below this are dropped."""

    filter_high: UnitInterval = 0.99
    """Groups with a mean accuracy at or above this are dropped."""

    max_rounds: Annotated[int, Field(ge=1, le=1000)] = 20
    """Sampling rounds in one step before the job stops for want of signal."""

    carry_over: bool = True
    """Keep surplus groups for the next step instead of dropping them."""

    max_staleness: Annotated[int, Field(ge=0, le=16)] = 1
    """Oldest carried group that is still trained on, in policy versions."""

    mismatch_cap: Annotated[float, Field(ge=0.0, le=100.0)] = 3.0
    """Cap of the weight that corrects sampler probabilities to the learner's; 0 means none."""
