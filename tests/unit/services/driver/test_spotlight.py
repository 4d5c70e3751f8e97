"""Sampled answers for the page: complete, mixed, bounded, and valid JSON whatever was computed."""

import base64
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vppo_core.batch.prompts import PromptBatch
from vppo_core.batch.scores import DependencyBatch, RewardBatch
from vppo_core.batch.trajectories import TrajectoryBatch
from vppo_core.spec.job import VPPOJobSpec
from vppo_services.driver.assemble import assemble
from vppo_services.driver.groups import GroupArrays
from vppo_services.driver.spotlight import Spotlight, as_json
from vppo_services.observability.report import AnswerSample
from vppo_services.policy.settings import load_processor

ALL_RIGHT, MIXED = (1.0, 1.0, 1.0, 1.0), (1.0, 0.0, 0.0, 1.0)


def group_of(
    prompt: PromptBatch, rollouts: TrajectoryBatch, accuracies: tuple[float, ...]
) -> GroupArrays:
    mask = rollouts.response_mask
    seen = len(prompt.image_grids) > 0
    rewards = np.array(accuracies, np.float32)
    return GroupArrays(
        prompt,
        rollouts,
        RewardBatch(rewards=rewards, accuracies=rewards, verdicts=("ok",) * 4),
        DependencyBatch(
            old_log_probs=rollouts.rollout_log_probs,
            token_dependency=np.where(mask, 0.1, 0.0).astype(np.float32) * seen,
            ref_log_probs=rollouts.rollout_log_probs,
            is_perturbed=np.full(4, seen),
            policy_version=0,
        ),
    )


@pytest.fixture
def job(job_of: Callable[..., VPPOJobSpec]) -> VPPOJobSpec:
    return job_of(rollout={"promptsPerStep": 5}, learner={"promptsPerUpdate": 5})


def test_answers_show_tokens_with_their_dependency_and_the_image_with_its_masked_view(
    job: VPPOJobSpec,
    prompts: list[PromptBatch],
    trajectories: list[TrajectoryBatch],
    tmp_path: Path,
) -> None:
    grades = (ALL_RIGHT, MIXED, ALL_RIGHT, MIXED, MIXED)
    groups = [group_of(*parts) for parts in zip(prompts, trajectories, grades, strict=True)]
    batches = [assemble(groups, job.algorithm)]
    spotlight = Spotlight(tmp_path, job, load_processor(job), attempt=2)
    spotlight.write(10, groups, batches)
    told = json.loads((tmp_path / "spotlight" / "step-000010.json").read_text())
    assert (told["step"], told["attempt"]) == (10, 2)
    samples = told["samples"]
    assert len(samples) == 10
    assert [s["reward"] for s in samples] == [1, 0, 1, 0, 1, 0, 1, 1, 1, 1], "mixed groups first"
    first, text_only = samples[0], samples[4]
    lengths = trajectories[1].response_mask.sum(axis=1)
    assert len(first["tokens"]) == len(first["dependency"]) == len(first["kept"]) == lengths[3]
    assert first["dependency"] == pytest.approx([0.1] * lengths[3], abs=1e-6)
    assert first["trajectoryDependency"] == pytest.approx(0.1, abs=1e-6)
    weights = batches[0].shaping_weights
    assert first["shapingWeight"] == pytest.approx(float(weights[7]), rel=1e-5)
    assert first["advantage"] == pytest.approx(float(batches[0].batch.advantages[7]), rel=1e-5)
    clean, masked = (
        Image.open(io.BytesIO(base64.b64decode(first[name]))) for name in ("imagePng", "maskedPng")
    )
    assert clean.size == masked.size
    assert clean.tobytes() != masked.tobytes()
    assert (text_only["problem"], text_only["imagePng"], text_only["maskedPng"]) == (
        "list the colours",
        "",
        "",
    )


def test_at_most_sixteen_answers_are_shown_and_large_images_shrink(
    job: VPPOJobSpec, prompts: list[PromptBatch], trajectories: list[TrajectoryBatch]
) -> None:
    job = job.model_copy(
        update={"learner": job.learner.model_copy(update={"prompts_per_update": 20})}
    )
    groups = [group_of(prompts[i % 4], trajectories[i % 4], MIXED) for i in range(20)]
    batches = [assemble(groups, job.algorithm)]
    spotlight = Spotlight(Path("unused"), job, load_processor(job), attempt=1)
    samples = spotlight.samples(1, groups, batches, count=16, max_side=32)
    assert len(samples) == 16
    sizes = {Image.open(io.BytesIO(sample.image_png)).size for sample in samples}
    assert {max(size) for size in sizes} == {32}


def test_a_number_that_is_not_finite_is_null() -> None:
    sample = AnswerSample(
        step=1,
        problem="p",
        reference="r",
        tokens=["a", "b"],
        dependency=[0.123456789, float("nan")],
        kept=[True, False],
        reward=1.0,
        advantage=float("inf"),
    )
    told = as_json(sample)
    assert told["dependency"] == [0.123457, None]
    assert told["advantage"] is None
    assert told["trajectoryDependency"] is None
    json.dumps(told, allow_nan=False)


def test_an_empty_answer_has_no_dependency() -> None:
    sample = AnswerSample(
        step=1, problem="", reference="", tokens=[], dependency=[], kept=[], reward=0, advantage=0
    )
    assert sample.trajectory_dependency == 0.0
    assert replace(sample, dependency=[1.0, 2.0]).trajectory_dependency == 1.5
