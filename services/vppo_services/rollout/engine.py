"""What a rollout replica can do, whichever program generates its tokens."""

from collections.abc import Iterable, Iterator
from typing import Protocol

import torch

from vppo_core.batch.prompts import PromptBatch
from vppo_core.batch.trajectories import TrajectoryBatch
from vppo_core.spec.model import ModelSpec
from vppo_core.spec.rollout import RolloutEngine as EngineName
from vppo_core.spec.rollout import RolloutSpec
from vppo_services.data.processor import PromptProcessor
from vppo_services.rollout.sampling import SamplingSettings


class RolloutEngine(Protocol):
    """Samples groups under the current weights; takes new weights between two calls."""

    @property
    def policy_version(self) -> int:
        """Version of the weights that answer; 0 is the loaded checkpoint."""

    def generate(
        self, prompts: Iterable[PromptBatch], settings: SamplingSettings
    ) -> Iterator[tuple[int, TrajectoryBatch]]:
        """Position of a prompt and its whole group, as soon as the group is finished.

        `prompts` are single (P = 1) and read only when there is room for their group. Groups come
        in the order in which they finish, the same for the same weights, prompts and settings.

        Raises:
            ConsistencyError: the engine would see other tokens or patches than the prompt has, or a
                rollout holds a banned id.
        """

    def load_weights(self, tensors: Iterable[tuple[str, torch.Tensor]], version: int) -> None:
        """Replace weights in place, forget what was computed from the old ones, set the version.

        Args:
            tensors: names and values as `named_parameters()` of the transformers model gives them;
                a head tied to the embedding does not occur. Read to its end.
            version: what `policy_version` is from now on.

        Raises:
            ConsistencyError: unknown, missing or misshapen tensors, or answers still on their way.
        """

    def cache_info(self) -> dict[str, float]:
        """What the engine reuses, by name; empty where it reuses nothing."""

    def close(self) -> None:
        """Give back memory; the engine cannot be used afterwards."""


def create_engine(
    model: ModelSpec,
    rollout: RolloutSpec,
    seed: int,
    *,
    max_prompt_tokens: int,
    device: str = "cpu",
) -> RolloutEngine:
    """The engine that `rollout.engine` names, with the model loaded.

    Args:
        seed: for what is not seeded by a rollout of its own; results do not depend on it.
        max_prompt_tokens: longest prompt, visual tokens included.
        device: where the transformers engine computes; vLLM knows by its build.
    """
    processor = PromptProcessor.load(
        model.source,
        revision=model.revision,
        min_pixels=model.min_pixels,
        max_pixels=model.max_pixels,
    )
    if rollout.engine is EngineName.VLLM:
        from vppo_services.rollout.vllm_engine import VLLMEngine

        return VLLMEngine(model, rollout, processor, seed, max_prompt_tokens=max_prompt_tokens)
    from vppo_services.rollout.transformers_engine import TransformersEngine

    return TransformersEngine(model, rollout, processor, device=device)
