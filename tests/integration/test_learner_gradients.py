"""Ranks and micro-batches change memory and time, never the gradient."""

import multiprocessing
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist

from vppo_core.batch.axes import pad_right
from vppo_core.batch.prompts import PromptBatch
from vppo_core.batch.training import TrainingBatch
from vppo_core.batch.trajectories import TrajectoryBatch

pytestmark = pytest.mark.slow

# Micro-batches of one rank: everything at once, about four, about sixteen (one rollout each).
BUDGETS = {1: 100_000, 4: 160, 16: 1}
WORLDS = (1, 2, 4)


def batch_of(trajectories: list[TrajectoryBatch]) -> TrainingBatch:
    rng = np.random.default_rng(1)
    mask = pad_right([row for t in trajectories for row in t.response_mask], np.bool_)
    rows = len(mask)
    log_probs = np.where(mask, -6.0 + 0.1 * rng.standard_normal(mask.shape), 0.0).astype(np.float32)
    return TrainingBatch(
        prompt_index=np.repeat(np.arange(len(trajectories), dtype=np.int32), 4),
        response_ids=pad_right([row for t in trajectories for row in t.response_ids], np.int32),
        response_mask=mask,
        old_log_probs=log_probs,
        ref_log_probs=log_probs,
        advantages=rng.standard_normal(rows).astype(np.float32),
        token_weights=(mask & (rng.random(mask.shape) < 0.4)).astype(np.float32),
        policy_versions=np.zeros(rows, dtype=np.int32),
        num_response_tokens=int(mask.sum()),
    )


def gradients_of_rank(
    rank: int,
    world: int,
    port: int,
    jobs: dict[int, str],
    batch: TrainingBatch,
    prompts: list[PromptBatch],
    out: Path,
) -> None:
    """Gradients of all layouts with this number of ranks; rank 0 writes them."""
    from vppo_core.spec.job import VPPOJobSpec
    from vppo_services.learner.engine import LearnerEngine
    from vppo_services.learner.fsdp import full_tensor

    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=world
    )
    results = {}
    for dtype in (torch.float64, torch.float32):
        for micro, job in jobs.items():
            engine = LearnerEngine(VPPOJobSpec.model_validate_json(job), master_dtype=dtype)
            _, count = engine.gradients(batch, prompts)
            grads = [p.grad for p in engine._policy.parameters() if p.grad is not None]
            whole = torch.cat([full_tensor(grad).flatten() for grad in grads])
            results[str(dtype), micro] = (whole, count)
    if rank == 0:
        torch.save(results, out)
    dist.destroy_process_group()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def gradients(
    tmp_path_factory: pytest.TempPathFactory,
    job_of: Any,
    prompts: list[PromptBatch],
    trajectories: list[TrajectoryBatch],
) -> dict[tuple[str, int, int], tuple[torch.Tensor, int]]:
    """Gradient and micro-batches by (number format, ranks, micro-batches asked for)."""
    folder = tmp_path_factory.mktemp("gradients")
    jobs = {
        micro: job_of(
            learner={"maxTokensPerMicroBatch": budget, "gradientCheckpointing": micro == 4}
        ).model_dump_json(by_alias=True)
        for micro, budget in BUDGETS.items()
    }
    # Imports of the model's libraries take most of the time: do them once, then fork.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["vppo_services.learner.engine"])
    batch = batch_of(trajectories)
    results = {}
    for world in WORLDS:
        port, out = free_port(), folder / f"{world}.pt"
        ranks = [
            context.Process(
                target=gradients_of_rank, args=(rank, world, port, jobs, batch, prompts, out)
            )
            for rank in range(world)
        ]
        for process in ranks:
            process.start()
        for process in ranks:
            process.join(timeout=240)
            assert process.exitcode == 0
        for (dtype, micro), result in torch.load(out).items():
            results[dtype, world, micro] = result
    return results


@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [
        pytest.param("torch.float64", 1e-9, id="float64"),
        pytest.param("torch.float32", 1e-5, id="float32"),
    ],
)
def test_gradient_does_not_depend_on_ranks_or_micro_batches(
    gradients: dict[tuple[str, int, int], tuple[torch.Tensor, int]], dtype: str, tolerance: float
) -> None:
    reference, whole = gradients[dtype, 1, 1]
    assert reference.norm() > 0.01
    assert whole == 1
    for world in WORLDS:
        for micro in BUDGETS:
            gradient, _ = gradients[dtype, world, micro]
            difference = (gradient - reference).norm() / reference.norm()
            assert difference < tolerance, (world, micro)


def test_micro_batches_of_one_rank_are_as_many_as_the_layouts_say(
    gradients: dict[tuple[str, int, int], tuple[torch.Tensor, int]],
) -> None:
    counts = [gradients["torch.float64", 1, micro][1] for micro in BUDGETS]
    assert counts[0] == 1
    assert counts[1] >= 4
    assert counts[2] >= 16
