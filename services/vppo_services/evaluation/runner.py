"""Accuracy of the current policy on held-out questions: the mean over all answers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import RayError

from vppo_core.spec.job import VPPOJobSpec
from vppo_services.rollout.sampling import SamplingSettings
from vppo_services.transport.calls import await_all, translate

# Held-out answers must not be drawn with the seeds of training rollouts.
_SEED_OFFSET = 1_000_003


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Mean accuracy with the half-width of its 95 % interval, over questions."""

    step: int
    accuracy: float
    half_width: float
    questions: int
    answers: int

    def as_dict(self) -> dict[str, float]:
        """The numbers under their names."""
        return {name: float(getattr(self, name)) for name in self.__dataclass_fields__}


def evaluation_settings(job: VPPOJobSpec) -> SamplingSettings:
    """How held-out questions are asked; the seed is the same every time, so changes are paired."""
    spec = job.evaluation
    return SamplingSettings(
        group_size=spec.samples_per_prompt,
        max_tokens=job.rollout.max_response_tokens,
        temperature=spec.temperature,
        top_p=job.rollout.top_p,
        top_k=job.rollout.top_k,
        run_seed=job.seed + _SEED_OFFSET,
    )


def evaluate(
    step: int,
    prompts: Sequence[Any],
    rollouts: Sequence[Any],
    rewards: Sequence[Any],
    settings: SamplingSettings,
    *,
    timeout_seconds: float,
) -> Evaluation:
    """Ask every prompt and grade the answers.

    Args:
        prompts: object references of PromptBatches of one prompt each.
        rollouts, rewards: handles of the roles.
    """
    grades: list[Any] = []
    streams: list[tuple[Any, list[Any]]] = []
    for replica, handle in enumerate(rollouts):
        share = list(prompts[replica :: len(rollouts)])
        if share:
            stream = handle.generate.options(num_returns="streaming").remote(share, settings)
            streams.append((stream, share))
    try:
        for stream, share in streams:
            for header in stream:
                # Fetched first: a replica that failed gives its error in place of a header.
                prompt = share[ray.get(header).position]
                grader = rewards[len(grades) % len(rewards)]
                grades.append(grader.grade.remote(prompt, next(stream)))
    except RayError as error:
        raise translate(error, role="rollout", step=step) from error
    graded = await_all(grades, role="reward", step=step, timeout_seconds=timeout_seconds)
    means = [float(batch.accuracies.mean()) for batch in graded]
    return summarise(step, means, answers=sum(len(batch.accuracies) for batch in graded))


def summarise(step: int, means: Sequence[float], *, answers: int) -> Evaluation:
    """Mean over questions and the normal 95 % interval of that mean."""
    count = len(means)
    mean = sum(means) / max(count, 1)
    variance = sum((value - mean) ** 2 for value in means) / max(count - 1, 1)
    half_width = 1.96 * math.sqrt(variance / max(count, 1))
    return Evaluation(step, mean, half_width, count, answers)
