"""A whole job: what `kubectl apply`, `POST /jobs` and `vppo train` take.

The one place where a job is described; every other form is printed from it.
"""

from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from vppo_core.spec.algorithm import AlgorithmSpec, Shaping
from vppo_core.spec.base import SpecModel
from vppo_core.spec.data import DataSpec
from vppo_core.spec.dependency import DependencySpec
from vppo_core.spec.learner import CheckpointSpec, LearnerSpec
from vppo_core.spec.model import ModelSpec
from vppo_core.spec.placement import PlacementSpec
from vppo_core.spec.reward import RewardSpec
from vppo_core.spec.rollout import RolloutSpec
from vppo_core.spec.tracking import EvaluationSpec, TrackingSpec

API_VERSION: Final = "vppo.io/v1alpha1"
KIND: Final = "VPPOJob"


class VPPOJobSpec(SpecModel):
    """What is asked of a training job."""

    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    """Seed of data order, sampling and masks: same spec and seed, same run."""

    model: ModelSpec
    """The vision-language model that is trained."""

    data: DataSpec
    """Rows of a question, its images and the right answer."""

    rollout: RolloutSpec = RolloutSpec()
    """Sampling of a group of answers for each prompt."""

    reward: RewardSpec = RewardSpec()
    """Grading of answers against the reference."""

    dependency: DependencySpec = DependencySpec()
    """The perturbed view of the image and the estimate of token dependency."""

    algorithm: AlgorithmSpec = AlgorithmSpec()
    """Advantage, shaping, filtering, clipping and penalties."""

    learner: LearnerSpec = LearnerSpec()
    """Optimizer steps and memory."""

    checkpoint: CheckpointSpec = CheckpointSpec()
    """What is saved, where, and how often."""

    evaluation: EvaluationSpec = EvaluationSpec()
    """Accuracy on held-out questions."""

    placement: PlacementSpec = PlacementSpec()
    """Processes of each role and what they may use."""

    tracking: TrackingSpec = TrackingSpec()
    """Where the record of the run goes."""

    @model_validator(mode="after")
    def _fields_agree(self) -> Self:
        rollout, learner, algorithm = self.rollout, self.learner, self.algorithm
        if rollout.prompts_per_step % learner.prompts_per_update:
            raise ValueError(
                f"learner.promptsPerUpdate must divide rollout.promptsPerStep "
                f"({rollout.prompts_per_step}), got {learner.prompts_per_update}; "
                "every update of a step must see the same number of groups"
            )
        needs_dependency = algorithm.shaping is not Shaping.NONE or algorithm.token_keep_ratio < 1.0
        if needs_dependency and not self.dependency.enabled:
            raise ValueError(
                "dependency.enabled must be true for algorithm.shaping or a tokenKeepRatio below 1, "
                "got false; enable it, or set shaping to 'none' and tokenKeepRatio to 1"
            )
        if 0.0 < algorithm.dual_clip <= 1.0:
            raise ValueError(
                f"algorithm.dualClip must be 0 (off) or above 1, got {algorithm.dual_clip}; 3.0 is usual"
            )
        if algorithm.filter_low >= algorithm.filter_high:
            raise ValueError(
                f"algorithm.filterLow must be below algorithm.filterHigh ({algorithm.filter_high}), "
                f"got {algorithm.filter_low}; 0.01 and 0.99 drop only groups without signal"
            )
        if self.model.min_pixels > self.model.max_pixels:
            raise ValueError(
                f"model.minPixels must not exceed model.maxPixels ({self.model.max_pixels}), "
                f"got {self.model.min_pixels}; lower it or raise maxPixels"
            )
        return self


class ObjectMeta(SpecModel):
    """Name and labels of a job object."""

    name: Annotated[str, Field(max_length=40, pattern=r"^([a-z]([-a-z0-9]*[a-z0-9])?)?$")] = ""
    """DNS-1035 label of at most 40 characters."""

    labels: Annotated[dict[str, str], Field(default_factory=dict, max_length=64)]
    """Labels, carried along."""

    annotations: Annotated[dict[str, str], Field(default_factory=dict, max_length=64)]
    """Annotations, carried along."""


class VPPOJob(SpecModel):
    """A job object: the whole file."""

    api_version: Literal["vppo.io/v1alpha1"] = API_VERSION
    """Always `vppo.io/v1alpha1`."""

    kind: Literal["VPPOJob"] = KIND
    """Always `VPPOJob`."""

    metadata: ObjectMeta = ObjectMeta()
    """Name and labels."""

    spec: VPPOJobSpec
    """What is asked of the job."""
