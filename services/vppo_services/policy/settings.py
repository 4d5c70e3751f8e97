"""Settings that the learner and the dependency role must share, made in one place."""

import torch

from vppo_core.spec.dependency import HeadPrecision
from vppo_core.spec.job import VPPOJobSpec
from vppo_services.data.processor import PromptProcessor
from vppo_services.policy.policy import HeadSettings


def load_processor(job: VPPOJobSpec) -> PromptProcessor:
    """The processor of the job's model, with the job's pixel bounds."""
    model = job.model
    return PromptProcessor.load(
        model.source,
        revision=model.revision,
        min_pixels=model.min_pixels,
        max_pixels=model.max_pixels,
    )


def head_settings(job: VPPOJobSpec, processor: PromptProcessor) -> HeadSettings:
    """How this job turns hidden states into log-probs."""
    spec = job.dependency
    return HeadSettings(
        temperature=job.rollout.temperature,
        banned_ids=processor.banned_ids,
        chunk_tokens=spec.chunk_tokens,
        chunk_vocabulary=spec.chunk_vocabulary,
        precision=torch.float32 if spec.head_precision is HeadPrecision.FLOAT32 else None,
    )
