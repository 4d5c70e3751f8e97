"""Object store: what the batches of a prompt weigh, against pixels that would travel instead."""

import io
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.tables import naive_pixel_bytes
from vppo_core.batch.axes import nbytes
from vppo_core.batch.prompts import PromptBatch
from vppo_core.batch.scores import DependencyBatch, RewardBatch
from vppo_core.batch.trajectories import TrajectoryBatch
from vppo_core.spec.data import DataSpec
from vppo_core.spec.job import VPPOJobSpec
from vppo_core.spec.model import ModelSpec
from vppo_services.data.processor import PromptProcessor
from vppo_services.data.prompts import PromptFactory
from vppo_services.data.rows import Row
from vppo_services.data.sources import read_rows
from vppo_services.driver.assemble import assemble
from vppo_services.driver.groups import GroupArrays
from vppo_services.policy.settings import load_processor

SIDE = 1000  # pixels
RESPONSE_TOKENS = 600
JPEG_QUALITY = 90


def naive_bytes_per_step(job: VPPOJobSpec) -> int:
    """Pixel bytes of a step of this job, whose sources are local: its images, its group size."""
    processor = load_processor(job)
    factory, rows = PromptFactory(processor, job.data), read_rows(job.data, job.data.source)
    prompts = [factory.make(rows[index], 0) for index in range(job.rollout.prompts_per_step)]
    grids = np.concatenate([prompt.image_grids for prompt in prompts])
    return naive_pixel_bytes(grids, _features(processor), job.rollout.group_size)


def one_megapixel(job: VPPOJobSpec) -> dict[str, Any]:
    """The same for one prompt with a 1000 x 1000 JPEG and answers of 600 tokens.

    The batches are the real ones, filled with noise. The picture is noise as well, which no encoder
    can make small: a photograph weighs less. The pixel bounds are the spec's own.
    """
    model = ModelSpec(source=job.model.source)
    processor = PromptProcessor.load(
        model.source, min_pixels=model.min_pixels, max_pixels=model.max_pixels
    )
    jpeg = _jpeg()
    row = Row(uid="0", problem="<image>What is on the picture?", images=[jpeg], answer="noise")
    prompt = PromptFactory(processor, DataSpec(source="unused")).make(row, 0)
    group = _group(prompt, processor, job.rollout.group_size)
    training = assemble([group], job.algorithm)
    stored = sum(nbytes(part) for part in (prompt, group.trajectories, group.rewards, group.scores))
    stored += nbytes(training.batch)
    naive = naive_pixel_bytes(prompt.image_grids, _features(processor), job.rollout.group_size)
    return {
        "imageSide": SIDE,
        "imageBytes": len(jpeg),
        "promptTokens": int(prompt.prompt_lengths[0]),
        "responseTokens": RESPONSE_TOKENS,
        "rollouts": job.rollout.group_size,
        "bytes": stored,
        "naivePixelBytes": naive,
        "share": stored / naive,
    }


def _group(prompt: PromptBatch, processor: PromptProcessor, size: int) -> GroupArrays:
    rng = np.random.default_rng(0)
    shape = (size, RESPONSE_TOKENS)
    special = max(processor.tokenizer.all_special_ids)
    ids = rng.integers(special + 1, len(processor.tokenizer), shape, dtype=np.int32)
    log_probs = -rng.random(shape, dtype=np.float32)
    rewards = (np.arange(size) % 2).astype(np.float32)
    trajectories = TrajectoryBatch(
        prompt_index=np.zeros(size, dtype=np.int32),
        sample_index=np.arange(size, dtype=np.int32),
        response_ids=ids,
        response_mask=np.ones(shape, dtype=np.bool_),
        rollout_log_probs=log_probs,
        is_finished=np.ones(size, dtype=np.bool_),
        texts=tuple(processor.decode(answer.tolist()) for answer in ids),
        policy_version=0,
    )
    scores = DependencyBatch(
        old_log_probs=log_probs,
        token_dependency=rng.random(shape, dtype=np.float32),
        ref_log_probs=log_probs,
        is_perturbed=np.ones(size, dtype=np.bool_),
        policy_version=0,
    )
    verdicts = tuple("ok" if reward else "wrong" for reward in rewards)
    graded = RewardBatch(rewards=rewards, accuracies=rewards, verdicts=verdicts)
    return GroupArrays(prompt, trajectories, graded, scores)


def _jpeg() -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()


def _features(processor: PromptProcessor) -> int:
    pixels, _ = processor.pixels([])
    return int(pixels.shape[1])
