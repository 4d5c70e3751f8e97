"""FSDP2 on the CPU: one update of a fixed mini-batch by one rank and by two."""

import io
import statistics
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from PIL import Image
from transformers.utils.logging import disable_progress_bar

from benchmarks.machine import peak_resident_bytes, resident_bytes
from benchmarks.tables import Result, on_the_wire
from vppo_core.batch.prompts import PromptBatch
from vppo_core.batch.training import TrainingBatch
from vppo_core.spec.job import VPPOJobSpec
from vppo_services.data.prompts import PromptFactory
from vppo_services.data.rows import Row
from vppo_services.demo.model import build_model
from vppo_services.learner.engine import LearnerEngine
from vppo_services.policy.settings import load_processor

WORLDS = (1, 2)
MIB = 2**20


@dataclass(frozen=True, slots=True)
class FsdpOptions:
    """The mini-batch, and how often it is trained on."""

    prompts: int = 8
    group_size: int = 8
    response_tokens: int = 128
    max_tokens_per_micro_batch: int = 2048
    updates: int = 3
    """Measured, after one that is not."""
    repeats: int = 2
    """Times that each number of ranks is started; they take turns."""


def run(options: FsdpOptions) -> tuple[dict[str, Any], list[Result]]:
    """The report and its lines of the table."""
    runs: dict[int, list[list[dict[str, Any]]]] = {world: [] for world in WORLDS}
    with tempfile.TemporaryDirectory(prefix="vppo-bench-") as folder:
        model = Path(folder) / "model"
        build_model("qwen2.5-vl", model)
        job = _job(model, options)
        batch, prompts = mini_batch(job, options)
        for repeat in range(options.repeats):
            for world in WORLDS if repeat % 2 == 0 else reversed(WORLDS):
                store = f"{folder}/store-{world}-{repeat}"
                runs[world].append(_ranks(world, store, job, batch, prompts, options.updates))
    report = {
        "shape": {**on_the_wire(options), "rollouts": len(batch), "threadsPerRank": 1},
        "ranks": {str(world): _summary(runs[world]) for world in WORLDS},
    }
    return report, _results(report)


def mini_batch(job: VPPOJobSpec, options: FsdpOptions) -> tuple[TrainingBatch, list[PromptBatch]]:
    """Prompts of one picture each, and random answers that all have the full length."""
    rng = np.random.default_rng(0)
    factory = PromptFactory(load_processor(job), job.data)
    rows = [
        Row(uid=str(i), problem="<image>list the colours", images=[_png(rng)], answer="x")
        for i in range(options.prompts)
    ]
    shape = (options.prompts * options.group_size, options.response_tokens)
    mask = np.ones(shape, dtype=np.bool_)
    log_probs = np.full(shape, -6.0, dtype=np.float32)
    batch = TrainingBatch(
        prompt_index=np.repeat(np.arange(options.prompts, dtype=np.int32), options.group_size),
        response_ids=rng.integers(20, 100, shape, dtype=np.int32),
        response_mask=mask,
        old_log_probs=log_probs,
        ref_log_probs=log_probs,
        advantages=rng.standard_normal(shape[0], dtype=np.float32),
        token_weights=(rng.random(shape) < job.algorithm.token_keep_ratio).astype(np.float32),
        policy_versions=np.zeros(shape[0], dtype=np.int32),
        num_response_tokens=int(mask.sum()),
    )
    return batch, [factory.make(row, 0) for row in rows]


def train_rank(
    rank: int,
    world: int,
    store: str,
    job: VPPOJobSpec,
    batch: TrainingBatch,
    prompts: list[PromptBatch],
    updates: int,
) -> dict[str, Any]:
    """Times and memory of one rank; it runs in a process of its own."""
    disable_progress_bar()
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo",
        init_method=f"file://{store}",
        rank=rank,
        world_size=world,
        timeout=timedelta(minutes=5),
    )
    imported = resident_bytes()
    engine = LearnerEngine(job)
    engine.update(batch, prompts)
    times = []
    for _ in range(updates):
        dist.barrier()
        start, cpu_start = time.perf_counter(), time.process_time()
        engine.update(batch, prompts)
        times.append((time.perf_counter() - start, time.process_time() - cpu_start))
    dist.destroy_process_group()
    return {
        "seconds": [seconds for seconds, _ in times],
        "cpuSeconds": [cpu for _, cpu in times],
        "importedMiB": imported / MIB,
        "peakMiB": peak_resident_bytes() / MIB,
    }


def _ranks(world: int, store: str, *arguments: Any) -> list[dict[str, Any]]:
    """What every rank measured."""
    with ProcessPoolExecutor(max_workers=world, mp_context=get_context("spawn")) as pool:
        calls = [pool.submit(train_rank, rank, world, store, *arguments) for rank in range(world)]
        return [call.result() for call in calls]


def _summary(runs: list[list[dict[str, Any]]]) -> dict[str, Any]:
    """Rank 0 has the time of all, because an update ends with a collective."""
    world = range(len(runs[0]))
    seconds = [value for ranks in runs for value in ranks[0]["seconds"]]
    return {
        "secondsPerUpdate": statistics.median(seconds),
        "runs": seconds,
        "cpuSecondsPerUpdate": [
            statistics.median([v for ranks in runs for v in ranks[rank]["cpuSeconds"]])
            for rank in world
        ],
        "peakRssMiB": [max(ranks[rank]["peakMiB"] for ranks in runs) for rank in world],
        "importedRssMiB": [max(ranks[rank]["importedMiB"] for ranks in runs) for rank in world],
    }


def _results(report: dict[str, Any]) -> list[Result]:
    lines = []
    for world, values in report["ranks"].items():
        lines += [
            Result(f"update, ranks: {world}", values["secondsPerUpdate"], "s"),
            Result(f"peak memory of a rank, ranks: {world}", max(values["peakRssMiB"]), "MiB"),
        ]
    return lines


def _job(model: Path, options: FsdpOptions) -> VPPOJobSpec:
    return VPPOJobSpec.model_validate(
        {
            "model": {
                "source": str(model),
                "dtype": "float32",
                "minPixels": 3136,
                "maxPixels": 4096,
            },
            "data": {"source": "unused"},
            "rollout": {
                "promptsPerStep": options.prompts,
                "groupSize": options.group_size,
                "maxResponseTokens": options.response_tokens,
            },
            "learner": {
                "promptsPerUpdate": options.prompts,
                "maxTokensPerMicroBatch": options.max_tokens_per_micro_batch,
            },
        }
    )


def _png(rng: np.random.Generator) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(rng.integers(0, 255, (56, 56, 3), dtype=np.uint8)).save(buffer, format="PNG")
    return buffer.getvalue()
