"""How good a checkpoint is: its weights, held-out questions, a sampler, a grader; no training."""

import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vppo_core.batch.axes import nbytes
from vppo_core.errors import InvalidSpecError
from vppo_core.spec.job import VPPOJobSpec
from vppo_core.spec.loading import job_text, load_job
from vppo_services.data.prompts import PromptFactory
from vppo_services.demo.ensure import resolve_job
from vppo_services.evaluation.questions import held_out
from vppo_services.evaluation.runner import Evaluation, evaluate, evaluation_settings
from vppo_services.learner.export import (
    checkpoint_job,
    checkpoint_step,
    export_checkpoint,
    find_checkpoint,
)
from vppo_services.policy.settings import load_processor
from vppo_services.reward import deployment as reward
from vppo_services.rollout import deployment as rollout
from vppo_services.transport.calls import await_all
from vppo_services.transport.node import pool_options, start_ray, stop_ray
from vppo_services.transport.refs import put


def measure(source: str, changes: Sequence[str] = ()) -> dict[str, Any]:
    """Accuracy of a checkpoint on held-out questions, under camelCase names.

    The questions are asked as the run itself asks them, seeds included: without changes the result
    is the run's own at that step.

    Args:
        source: folder of a run, whose newest checkpoint is taken, or of a checkpoint.
        changes: assignments to the checkpoint's job, `evaluation.maxPrompts=100`.

    Raises:
        CheckpointError: there is no complete checkpoint.
        InvalidSpecError: a change that cannot be, or there are no held-out questions.
        InvalidDataError: the questions cannot be read.
        RoleDiedError, RoleTimeoutError: a role failed.
    """
    started = time.perf_counter()
    checkpoint = find_checkpoint(source)
    asked = load_job(job_text(checkpoint_job(checkpoint)), changes).spec
    if not asked.data.validation_source:
        raise InvalidSpecError(
            "data.validationSource must name held-out questions, got none in the run's job; "
            "name them with --data"
        )
    step = checkpoint_step(checkpoint)
    spec = resolve_job(asked)
    with _model_folder(checkpoint, step, spec) as folder:
        model = spec.model.model_copy(update={"source": str(folder), "revision": ""})
        result = _ask(spec.model_copy(update={"model": model}), step)
    return {
        "step": result.step,
        "accuracy": result.accuracy,
        "halfWidth": result.half_width,
        "questions": result.questions,
        "answers": result.answers,
        "samplesPerPrompt": asked.evaluation.samples_per_prompt,
        "temperature": asked.evaluation.temperature,
        "data": asked.data.validation_source,
        "seconds": round(time.perf_counter() - started, 3),
    }


@contextmanager
def _model_folder(checkpoint: str, step: int, spec: VPPOJobSpec) -> Iterator[Path]:
    ready = exported_model(checkpoint, step)
    if ready is not None:
        yield ready
        return
    with tempfile.TemporaryDirectory(prefix="vppo-eval-") as folder:
        export_checkpoint(checkpoint, spec, Path(folder))
        yield Path(folder)


def exported_model(checkpoint: str, step: int) -> Path | None:
    """The `model` folder of the run that a checkpoint lies in, if it holds that step's weights."""
    run = Path(checkpoint).parent.parent
    try:
        summary = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    model = run / "model"
    is_of_step = summary.get("state") == "Succeeded" and summary.get("step") == step
    return model if is_of_step and (model / "config.json").exists() else None


def _ask(spec: VPPOJobSpec, step: int) -> Evaluation:
    prompts = held_out(spec, PromptFactory(load_processor(spec), spec.data))
    placement, timeout = spec.placement, float(spec.learner.timeout_seconds)
    samplers, graders = placement.rollout, placement.reward
    start_ray(
        cpus=samplers.replicas * samplers.cpus + graders.replicas * graders.cpus,
        object_store_mib=placement.object_store_mib,
    )
    try:
        rollouts = [
            rollout.start(spec, pool_options(samplers, "rollout")) for _ in range(samplers.replicas)
        ]
        rewards = [reward.start(spec.reward, graders)]
        pings = [handle.ping.remote() for handle in rollouts]
        await_all(pings, role="rollout", step=step, timeout_seconds=timeout)
        stored = [
            put(one, rows=len(one), num_bytes=nbytes(one), policy_version=step).ref
            for one in prompts
        ]
        return evaluate(
            step,
            stored,
            rollouts,
            rewards,
            evaluation_settings(spec),
            timeout_seconds=float(spec.rollout.timeout_seconds),
        )
    finally:
        stop_ray()
