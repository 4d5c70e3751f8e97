"""A whole job: what `kubectl apply`, `POST /jobs` and `vppo train` take.

The one place where a job is described; every other form is printed from it.
"""

from collections.abc import Iterator
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from vppo_core.spec.algorithm import AlgorithmSpec, Shaping, ShapingScope
from vppo_core.spec.base import ShortText, SpecModel
from vppo_core.spec.data import DataSpec
from vppo_core.spec.dependency import DependencySpec, MaskFill, MaskGrid
from vppo_core.spec.learner import CheckpointSpec, LearnerSpec
from vppo_core.spec.model import ModelSpec
from vppo_core.spec.placement import PlacementSpec
from vppo_core.spec.reward import RewardSpec
from vppo_core.spec.rollout import RolloutSpec
from vppo_core.spec.scheduling import DesiredState, SchedulingSpec
from vppo_core.spec.tracking import EvaluationSpec, TrackingSpec

API_VERSION: Final = "vppo.io/v1alpha1"
KIND: Final = "VPPOJob"

Deadline = Annotated[int, Field(ge=60, le=2**31 - 1)]


class VPPOJobSpec(SpecModel):
    """What is asked of a training job. The scalars before `seed` may be changed while it runs."""

    desired_state: DesiredState = DesiredState.RUNNING
    """What is wanted of the job now; pausing and cancelling save a checkpoint first."""

    priority: ShortText = ""
    """Name of a priority of the platform; empty means its ordinary one."""

    active_deadline_seconds: Deadline | None = None
    """Running time of all attempts together, after which the job fails; absent means no limit."""

    pending_deadline_seconds: Deadline | None = None
    """Time until the first step, after which the job fails; absent means no limit."""

    ttl_seconds_after_finished: Annotated[int, Field(ge=0, le=2**31 - 1)] = 604_800
    """Time after its end until the job's files are removed; its record stays."""

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

    scheduling: SchedulingSpec = SchedulingSpec()
    """Queue, attempts and grace."""

    tracking: TrackingSpec = TrackingSpec()
    """Where the record of the run goes."""

    @model_validator(mode="after")
    def _fields_agree(self) -> Self:
        broken = [*_counts_disagree(self), *_method_disagrees(self), *_limits_disagree(self)]
        if broken:
            raise ValueError("\n".join(broken))
        return self


def _counts_disagree(spec: VPPOJobSpec) -> Iterator[str]:
    rollout, learner, gpus = spec.rollout, spec.learner, spec.placement.rollout.gpus
    if rollout.prompts_per_step % learner.prompts_per_update:
        yield (
            f"learner.promptsPerUpdate must divide rollout.promptsPerStep "
            f"({rollout.prompts_per_step}), got {learner.prompts_per_update}; "
            "every update of a step must see the same number of groups"
        )
    if rollout.tensor_parallel_size != max(gpus, 1):
        yield (
            f"rollout.tensorParallelSize must equal placement.rollout.gpus ({gpus}), or be 1 "
            f"without GPUs, got {rollout.tensor_parallel_size}; set both to the same number"
        )


def _method_disagrees(spec: VPPOJobSpec) -> Iterator[str]:
    algorithm, dependency = spec.algorithm, spec.dependency
    needs_dependency = algorithm.shaping is not Shaping.NONE or algorithm.token_keep_ratio < 1.0
    if needs_dependency and not dependency.enabled:
        yield (
            "dependency.enabled must be true for algorithm.shaping or a tokenKeepRatio below 1, "
            "got false; enable it, or set shaping to 'none' and tokenKeepRatio to 1"
        )
    if dependency.grid is MaskGrid.REFERENCE and dependency.fill is not MaskFill.BLACK:
        yield (
            f"dependency.fill must be 'black' on the 'reference' grid, got '{dependency.fill}'; "
            "set it to 'black', or dependency.grid to 'patch'"
        )
    on_device = algorithm.shaping_scope is ShapingScope.REFERENCE_DEVICE
    if on_device and (algorithm.shaping is Shaping.FIXED or algorithm.shaping_cap > 0.0):
        yield (
            "algorithm.shapingScope 'reference_device' must go with shaping 'dynamic' and "
            f"shapingCap 0, got '{algorithm.shaping}' and {algorithm.shaping_cap}; "
            "change these, or set shapingScope to 'mini_batch'"
        )


def _limits_disagree(spec: VPPOJobSpec) -> Iterator[str]:
    algorithm, model = spec.algorithm, spec.model
    if 0.0 < algorithm.dual_clip <= 1.0:
        yield (
            "algorithm.dualClip must be 0 (off) or above 1, "
            f"got {algorithm.dual_clip}; 3.0 is usual"
        )
    if algorithm.filter_low >= algorithm.filter_high:
        yield (
            f"algorithm.filterLow must be below algorithm.filterHigh ({algorithm.filter_high}), "
            f"got {algorithm.filter_low}; 0.01 and 0.99 drop only groups without signal"
        )
    if model.min_pixels > model.max_pixels:
        yield (
            f"model.minPixels must not exceed model.maxPixels ({model.max_pixels}), "
            f"got {model.min_pixels}; lower it or raise maxPixels"
        )


class ObjectMeta(SpecModel):
    """Name and labels of a job object."""

    name: Annotated[str, Field(max_length=40, pattern=r"^([a-z]([-a-z0-9]*[a-z0-9])?)?$")] = ""
    """At most 40 lower-case letters, digits and `-`, a letter first (a DNS-1035 label)."""

    namespace: Annotated[
        str, Field(max_length=63, pattern=r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$")
    ] = ""
    """Namespace of a cluster; empty means that of the door the job comes through."""

    labels: Annotated[dict[str, str], Field(max_length=64)] = {}  # noqa: RUF012 - pydantic copies it
    """Labels, carried along."""

    annotations: Annotated[dict[str, str], Field(max_length=64)] = {}  # noqa: RUF012
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
