"""Scorer and learner run one forward: packed as plain, clean as `old_log_probs`."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist
from PIL import Image
from torch._C._distributed_c10d import HashStore

from vppo_core.batch.axes import pad_right
from vppo_core.batch.prompts import PromptBatch
from vppo_core.batch.scores import DependencyBatch, RewardBatch
from vppo_core.batch.trajectories import TrajectoryBatch
from vppo_core.errors import ConsistencyError, DivergedError
from vppo_core.spec.algorithm import AlgorithmSpec
from vppo_services.dependency.engine import DependencyEngine
from vppo_services.driver.assemble import assemble
from vppo_services.driver.groups import GroupArrays
from vppo_services.learner.engine import LearnerEngine

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def scorer(job_of: Any) -> DependencyEngine:
    return DependencyEngine(job_of())


@pytest.fixture(scope="module")
def one_rank() -> Iterator[None]:
    dist.init_process_group("gloo", store=HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def groups_of(
    scorer: DependencyEngine, prompts: list[PromptBatch], trajectories: list[TrajectoryBatch]
) -> list[GroupArrays]:
    accuracy = np.array([1, 0, 0, 1], np.float32)
    rewards = RewardBatch(rewards=accuracy, accuracies=accuracy, verdicts=("ok",) * 4)
    return [
        GroupArrays(p, t, rewards, scorer.score(p, t))
        for p, t in zip(prompts, trajectories, strict=True)
    ]


def test_packed_log_probs_equal_a_plain_forward(
    scorer: DependencyEngine, prompts: list[PromptBatch], trajectories: list[TrajectoryBatch]
) -> None:
    model, processor = scorer._policy.model, scorer._pixels.processor
    prompt, rollouts = prompts[0], trajectories[0]
    scores = scorer.score(prompt, rollouts)
    pixels, grids = processor.pixels([Image.open(io.BytesIO(prompt.image(0)))])
    for row in range(len(rollouts)):
        mask = rollouts.response_mask[row]
        ids = np.concatenate([prompt.ids(0), rollouts.response_ids[row][mask]]).astype(np.int64)
        tokens = torch.from_numpy(ids)[None]
        with torch.no_grad():
            logits = model(
                input_ids=tokens,
                pixel_values=torch.from_numpy(pixels),
                image_grid_thw=torch.from_numpy(grids.astype(np.int64)),
                mm_token_type_ids=(tokens == processor.image_token_id).int(),
            ).logits
        logits[..., list(processor.banned_ids)] -= 100.0
        start = len(prompt.ids(0))
        plain = logits[0, start - 1 : -1].log_softmax(-1).gather(1, tokens[0, start:, None])[:, 0]
        np.testing.assert_allclose(scores.old_log_probs[row][mask], plain.numpy(), atol=1e-5)


def test_scores_replay_bit_for_bit_in_another_replica(
    job_of: Any,
    scorer: DependencyEngine,
    prompts: list[PromptBatch],
    trajectories: list[TrajectoryBatch],
) -> None:
    again = DependencyEngine(job_of()).score(prompts[1], trajectories[1])
    first = scorer.score(prompts[1], trajectories[1])
    assert again.token_dependency.tobytes() == first.token_dependency.tobytes()
    other = DependencyEngine(job_of().model_copy(update={"seed": 1}))
    assert not np.array_equal(
        other.score(prompts[1], trajectories[1]).token_dependency, first.token_dependency
    )


def test_packing_budget_does_not_change_scores(
    job_of: Any,
    scorer: DependencyEngine,
    prompts: list[PromptBatch],
    trajectories: list[TrajectoryBatch],
) -> None:
    small = DependencyEngine(job_of(dependency={"maxTokensPerPass": 64}))
    one, many = scorer.score(prompts[2], trajectories[2]), small.score(prompts[2], trajectories[2])
    np.testing.assert_allclose(one.old_log_probs, many.old_log_probs, atol=1e-5)
    np.testing.assert_allclose(one.token_dependency, many.token_dependency, atol=1e-5)


@pytest.mark.parametrize("estimator", ["kl_full", "kl_sampled", "jsd", "top1_drop"])
@pytest.mark.parametrize("view", [("black", "patch"), ("blur", "merge"), ("black", "reference")])
def test_every_estimator_and_view_sees_that_the_image_matters(
    job_of: Any,
    prompts: list[PromptBatch],
    trajectories: list[TrajectoryBatch],
    estimator: str,
    view: tuple[str, str],
) -> None:
    dependency = {"estimator": estimator, "fill": view[0], "grid": view[1]}
    scores = DependencyEngine(job_of(dependency=dependency)).score(prompts[0], trajectories[0])
    assert np.abs(scores.token_dependency).max() > 1e-4
    assert scores.is_perturbed.any()


def test_a_prompt_without_image_is_marked_and_has_no_dependency(
    scorer: DependencyEngine, prompts: list[PromptBatch], trajectories: list[TrajectoryBatch]
) -> None:
    scores = scorer.score(prompts[4], trajectories[4])
    assert not scores.is_perturbed.any()
    assert (scores.token_dependency == 0).all()
    assert (scores.old_log_probs[trajectories[4].response_mask] < 0).all()


def test_rollouts_of_other_weights_are_refused(
    scorer: DependencyEngine, prompts: list[PromptBatch], trajectories: list[TrajectoryBatch]
) -> None:
    late = {n: getattr(trajectories[0], n) for n in TrajectoryBatch.__dataclass_fields__}
    late["policy_version"] = 7
    with pytest.raises(ConsistencyError, match="policy version 7"):
        scorer.score(prompts[0], TrajectoryBatch(**late))


def test_pixels_of_another_processor_are_refused(
    scorer: DependencyEngine, prompts: list[PromptBatch], trajectories: list[TrajectoryBatch]
) -> None:
    other = {n: getattr(prompts[0], n) for n in PromptBatch.__dataclass_fields__}
    other["processor_fingerprint"] = "f" * 64
    with pytest.raises(ConsistencyError, match="model revision"):
        scorer.score(PromptBatch(**other), trajectories[0])


@pytest.mark.usefixtures("one_rank")
@pytest.mark.parametrize(
    ("dtype", "optimizer"),
    [("float32", "adamw"), ("bfloat16", "adamw"), ("bfloat16", "adamw_bf16_kahan")],
)
def test_the_first_update_starts_on_policy_and_moves(
    job_of: Any,
    prompts: list[PromptBatch],
    trajectories: list[TrajectoryBatch],
    dtype: str,
    optimizer: str,
) -> None:
    job = job_of(model={"dtype": dtype}, learner={"optimizer": optimizer, "learningRate": 0.001})
    groups = groups_of(DependencyEngine(job), prompts, trajectories)
    batch = assemble(groups, job.algorithm).batch
    engine = LearnerEngine(job)
    before = {name: value.clone() for name, value in engine.full_weights()}
    metrics = engine.update(batch, prompts)
    # bfloat16 blocks of another packing differ in their last bit; float32 barely does.
    assert metrics.ratio_mean == pytest.approx(1.0, abs=1e-5 if dtype == "float32" else 0.05)
    assert metrics.grad_norm > 0
    assert not metrics.is_skipped
    assert any(not torch.equal(value, before[name]) for name, value in engine.full_weights())


@pytest.mark.usefixtures("one_rank")
def test_a_frozen_vision_tower_is_neither_trained_nor_sent(
    scorer: DependencyEngine,
    job_of: Any,
    prompts: list[PromptBatch],
    trajectories: list[TrajectoryBatch],
) -> None:
    engine = LearnerEngine(job_of(model={"freezeVision": True}))
    before = {name: value.clone() for name, value in engine.full_weights()}
    groups = groups_of(scorer, prompts, trajectories)
    engine.update(assemble(groups, AlgorithmSpec()).batch, prompts)
    after = dict(engine.full_weights())
    assert all(torch.equal(after[n], before[n]) for n in after if "visual" in n)
    assert any(not torch.equal(after[n], before[n]) for n in after if "visual" not in n)
    assert not any("visual" in entry.name for entry in engine.manifest().entries)


@pytest.mark.usefixtures("one_rank")
def test_gradients_that_are_not_finite_are_skipped_then_end_the_run(
    scorer: DependencyEngine,
    job_of: Any,
    prompts: list[PromptBatch],
    trajectories: list[TrajectoryBatch],
) -> None:
    engine = LearnerEngine(job_of(learner={"maxSkippedUpdates": 2}))
    batch = assemble(groups_of(scorer, prompts, trajectories), AlgorithmSpec()).batch
    fields = {name: getattr(batch, name) for name in type(batch).__dataclass_fields__}
    fields["advantages"] = np.full_like(batch.advantages, np.nan)
    before = {name: value.clone() for name, value in engine.full_weights()}
    assert engine.update(type(batch)(**fields), prompts).is_skipped
    assert all(torch.equal(value, before[name]) for name, value in engine.full_weights())
    with pytest.raises(DivergedError, match=r"learner\.maxSkippedUpdates=2"):
        engine.update(type(batch)(**fields), prompts)


@pytest.mark.usefixtures("one_rank")
def test_an_exported_model_loads_and_answers_as_the_learner(
    tmp_path: Path,
    job_of: Any,
    prompts: list[PromptBatch],
    trajectories: list[TrajectoryBatch],
    scorer: DependencyEngine,
) -> None:
    engine = LearnerEngine(job_of(learner={"learningRate": 0.01}))
    batch = assemble(groups_of(scorer, prompts, trajectories), AlgorithmSpec()).batch
    engine.update(batch, prompts)
    engine.start_save(str(tmp_path / "learner"))
    engine.finish_save()
    engine.export(tmp_path / "model")
    exported = DependencyEngine(job_of(model={"source": str(tmp_path / "model")}))
    weights = dict(engine.full_weights())
    for name, parameter in exported._policy.model.named_parameters():
        assert torch.equal(parameter, weights[name]), name
    restored = LearnerEngine(job_of())
    restored.restore(str(tmp_path / "learner"))
    assert all(torch.equal(value, weights[name]) for name, value in restored.full_weights())


def test_weights_sent_to_a_scorer_change_its_answers(
    job_of: Any, prompts: list[PromptBatch], trajectories: list[TrajectoryBatch]
) -> None:
    engine = DependencyEngine(job_of())
    before: DependencyBatch = engine.score(prompts[0], trajectories[0])
    moved = [(n, p + 0.05) for n, p in engine._policy.model.named_parameters()]
    engine.load_weights(moved, 0)
    after = engine.score(prompts[0], trajectories[0])
    assert not np.allclose(before.old_log_probs, after.old_log_probs, atol=1e-3)
    with pytest.raises(ConsistencyError, match=r"'no\.such\.weight'"):
        engine.load_weights([("no.such.weight", torch.zeros(1))], 1)


def test_padding_of_a_batch_is_not_seen(trajectories: list[TrajectoryBatch]) -> None:
    mask = pad_right([row for t in trajectories for row in t.response_mask], np.bool_, width=40)
    assert mask.shape == (20, 40)
    assert mask[:, 20:].sum() == 0
