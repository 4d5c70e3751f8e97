"""Fixtures that several rooms' tests share: a tiny model, prompts and rollouts for it."""

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from PIL import Image

from vppo_core.batch.prompts import PromptBatch
from vppo_core.batch.trajectories import TrajectoryBatch
from vppo_core.spec.job import VPPOJobSpec

# A loaded machine is no reason to fail, and a continuous-integration run must be repeatable.
settings.register_profile(
    "vppo",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=bool(os.environ.get("CI")),
)
settings.load_profile("vppo")

JobOf = Callable[..., VPPOJobSpec]


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Qwen2.5-VL of about a million random weights."""
    from vppo_services.demo.model import build_model

    folder = tmp_path_factory.mktemp("models") / "qwen2.5-vl"
    build_model("qwen2.5-vl", folder, seed=0)
    return folder


@pytest.fixture(scope="session")
def job_of(tiny_model: Path) -> JobOf:
    """Makes a small job on the tiny model; sections are given on the wire names."""

    def make(**sections: dict[str, Any]) -> VPPOJobSpec:
        small: dict[str, Any] = {
            "model": {
                "source": str(tiny_model),
                "dtype": "float32",
                "minPixels": 3136,
                "maxPixels": 4096,
            },
            "data": {"source": "unused"},
            "rollout": {"promptsPerStep": 4, "groupSize": 4, "maxResponseTokens": 20},
            "learner": {"promptsPerUpdate": 4, "maxTokensPerMicroBatch": 400},
        }
        for name, values in sections.items():
            small[name] = {**small.get(name, {}), **values}
        return VPPOJobSpec.model_validate(small)

    return make


def png(seed: int, size: int = 56) -> bytes:
    """A picture of noise."""
    pixels = np.random.default_rng(seed).integers(0, 255, (size, size, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


@pytest.fixture(scope="session")
def prompts(job_of: JobOf) -> list[PromptBatch]:
    """Four prompts of one image, and a fifth of none."""
    from vppo_services.data.prompts import PromptFactory
    from vppo_services.data.rows import Row
    from vppo_services.policy.settings import load_processor

    job = job_of()
    factory = PromptFactory(load_processor(job), job.data)
    rows = [
        Row(uid=f"row-{i}", problem="<image>list the colours", images=[png(i)], answer="x")
        for i in range(4)
    ]
    rows.append(Row(uid="text", problem="list the colours", images=[], answer="x"))
    return [factory.make(row, 0) for row in rows]


@pytest.fixture(scope="session")
def trajectories() -> list[TrajectoryBatch]:
    """Four random rollouts of different lengths for each prompt."""
    rng = np.random.default_rng(0)

    def make() -> TrajectoryBatch:
        lengths = rng.integers(1, 20, 4)
        mask = np.arange(20)[None, :] < lengths[:, None]
        ids = np.where(mask, rng.integers(20, 100, mask.shape), 0).astype(np.int32)
        return TrajectoryBatch(
            prompt_index=np.zeros(4, dtype=np.int32),
            sample_index=np.arange(4, dtype=np.int32),
            response_ids=ids,
            response_mask=mask,
            rollout_log_probs=np.where(mask, -1.0, 0.0).astype(np.float32),
            is_finished=np.ones(4, dtype=np.bool_),
            texts=("a", "b", "c", "d"),
            policy_version=0,
        )

    return [make() for _ in range(5)]
