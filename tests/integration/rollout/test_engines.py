"""Both engines against a plain teacher-forced forward of the same weights."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch

from vppo_core.batch.prompts import PromptBatch
from vppo_core.errors import ConsistencyError
from vppo_services.data.images import open_image
from vppo_services.rollout import vllm_reload
from vppo_services.rollout.sampling import SamplingSettings

pytestmark = pytest.mark.slow

ENGINES = ("vllm", "transformers")
TOLERANCE = 1e-3
SETTINGS = SamplingSettings(group_size=4, max_tokens=20, temperature=1.0, run_seed=5)


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize(
    "settings",
    [
        pytest.param(SETTINGS, id="plain"),
        pytest.param(dataclasses.replace(SETTINGS, temperature=0.7, top_k=40, top_p=0.9), id="cut"),
        pytest.param(dataclasses.replace(SETTINGS, temperature=0.0, group_size=1), id="greedy"),
    ],
)
def test_log_probs_are_those_of_a_teacher_forced_forward(
    bench: Any, mixed: list[PromptBatch], name: str, settings: SamplingSettings
) -> None:
    bench.engine(name)
    assert max(bench.gaps(name, mixed, settings)) < TOLERANCE


@pytest.mark.parametrize("name", ENGINES)
def test_greedy_takes_the_most_probable_token_each_time(bench: Any, name: str) -> None:
    settings = dataclasses.replace(SETTINGS, temperature=0.0, group_size=1)
    prompt = bench.prompt(0)
    [(_, group)] = bench.engine(name).generate([prompt], settings)
    ids = group.response_ids[0][group.response_mask[0]].tolist()
    exact = bench.log_probs(prompt, ids, settings)
    chosen = exact.gather(1, torch.tensor(ids)[:, None])[:, 0]
    assert (exact.max(dim=1).values - chosen).max() < TOLERANCE


@pytest.mark.parametrize("name", ENGINES)
def test_new_weights_answer_the_same_prompts_after_an_update(
    bench: Any, mixed: list[PromptBatch], name: str
) -> None:
    engine = bench.engine(name)
    list(engine.generate(mixed, SETTINGS))
    bench.change()
    assert max(bench.gaps(name, mixed, SETTINGS)) > 100 * TOLERANCE, "old weights, new truth"
    engine = bench.engine(name)
    groups = dict(engine.generate(mixed, SETTINGS))
    assert engine.policy_version == bench.version
    assert {group.policy_version for group in groups.values()} == {bench.version}
    assert max(bench.gaps(name, mixed, SETTINGS)) < TOLERANCE


@pytest.fixture
def leave_out(bench: Any) -> Iterator[Callable[[Any], None]]:
    """Renew the vLLM engine without one step; afterwards it is whole again."""
    engine = bench.engine("vllm")

    def renew_without(step: Any) -> None:
        engine.renewal = tuple(s for s in vllm_reload.RENEWAL if s is not step)
        bench.change()
        bench.engine("vllm")

    yield renew_without
    engine.renewal = vllm_reload.RENEWAL
    bench.change()
    bench.engine("vllm")


def test_a_head_that_is_not_packed_again_is_found_out(
    bench: Any, mixed: list[PromptBatch], leave_out: Callable[[Any], None]
) -> None:
    leave_out(vllm_reload.dispatch_head)
    gaps = bench.gaps("vllm", mixed, SETTINGS)
    if bench.is_tied:
        assert min(gaps) > 100 * TOLERANCE
    else:
        assert max(gaps) < TOLERANCE  # the head came with the update and was packed by vLLM


def test_a_stale_prefix_cache_is_found_out(
    bench: Any, mixed: list[PromptBatch], leave_out: Callable[[Any], None]
) -> None:
    list(bench.engine("vllm").generate(mixed, SETTINGS))
    leave_out(vllm_reload.reset_prefix_cache)
    gaps = bench.gaps("vllm", mixed, SETTINGS)
    assert gaps[1] > 100 * TOLERANCE
    assert gaps[0] < TOLERANCE, "shorter than a block, so never cached"


def test_a_stale_encoder_cache_is_found_out(
    bench: Any, mixed: list[PromptBatch], leave_out: Callable[[Any], None]
) -> None:
    list(bench.engine("vllm").generate(mixed, SETTINGS))
    leave_out(vllm_reload.reset_encoder_cache)
    # vLLM's reload drops the encodings, but not its belief that it has them.
    with pytest.raises(RuntimeError, match="Encoder cache miss"):
        list(bench.engine("vllm").generate(mixed, SETTINGS))


@pytest.mark.parametrize("name", ENGINES)
def test_the_same_seed_draws_the_same_tokens_whatever_was_asked_before(
    bench: Any, mixed: list[PromptBatch], name: str
) -> None:
    engine = bench.engine(name)
    first = dict(engine.generate(mixed, SETTINGS))
    list(engine.generate([bench.prompt(5), mixed[1]], SETTINGS))
    second = dict(engine.generate(mixed, SETTINGS))
    for index, group in first.items():
        np.testing.assert_array_equal(group.response_ids, second[index].response_ids)
        np.testing.assert_array_equal(group.rollout_log_probs, second[index].rollout_log_probs)
    other = dict(engine.generate(mixed, dataclasses.replace(SETTINGS, run_seed=6)))
    assert other[0].texts != first[0].texts
    assert len(set(first[0].texts)) > 1, "rollouts of a group have luck of their own"


@pytest.mark.parametrize("name", ENGINES)
def test_groups_come_whole_and_prompts_are_read_only_when_there_is_room(
    bench: Any, name: str
) -> None:
    read = []

    def prompts() -> Iterator[PromptBatch]:
        for number in range(9):
            read.append(number)
            yield bench.prompt(number % 3)

    stream = bench.engine(name).generate(prompts(), SETTINGS)
    first, group = next(stream)
    assert len(read) < 9
    groups = {first: group} | dict(stream)
    assert sorted(groups) == list(range(9))
    for group in groups.values():
        assert group.sample_index.tolist() == [0, 1, 2, 3]
        assert group.is_finished.tolist() == [
            int(ids[mask][-1]) in bench.processor.eos_ids
            for ids, mask in zip(group.response_ids, group.response_mask, strict=True)
        ]


@pytest.mark.parametrize("name", ENGINES)
def test_weights_wait_until_no_group_is_on_its_way(bench: Any, name: str) -> None:
    engine = bench.engine(name)
    stream = engine.generate([bench.prompt(0), bench.prompt(1), bench.prompt(2)] * 2, SETTINGS)
    next(stream)
    with pytest.raises(ConsistencyError, match="one thing at a time"):
        engine.load_weights(bench.model.named_parameters(), bench.version + 1)
    stream.close()
    engine.load_weights(bench.model.named_parameters(), bench.version)
    assert max(bench.gaps(name, [bench.prompt(0)], SETTINGS)) < TOLERANCE


@pytest.mark.parametrize("name", ENGINES)
def test_vision_tokens_are_never_sampled(bench: Any, name: str) -> None:
    engine = bench.engine(name)
    prompt = bench.prompt(0)
    [(_, group)] = engine.generate([prompt], SETTINGS)
    favourite = int(np.bincount(group.response_ids[group.response_mask]).argmax())
    banned = list(bench.processor.banned_ids)
    head = bench.model.get_output_embeddings().weight
    with torch.no_grad():
        head[banned] = 3.0 * head[favourite]
    bench.version += 1
    loose = dataclasses.replace(SETTINGS, group_size=16)
    [(_, group)] = bench.engine(name).generate([prompt], loose)
    expected = 0.0
    for ids, mask in zip(group.response_ids, group.response_mask, strict=True):
        unbanned = bench.log_probs(prompt, ids[mask].tolist(), SETTINGS, ban=False).exp()
        expected += float(unbanned[:, banned].sum())
    assert expected > 10.0, "or nothing would be shown"
    assert not np.isin(group.response_ids[group.response_mask], banned).any()


@pytest.mark.parametrize("name", ENGINES)
def test_a_prompt_of_another_processor_is_refused(bench: Any, name: str) -> None:
    engine = bench.engine(name)
    foreign = dataclasses.replace(bench.prompt(0), processor_fingerprint="f" * 64)
    with pytest.raises(ConsistencyError, match="was made by processor"):
        list(engine.generate([foreign], SETTINGS))
    drifted = bench.prompt(0)
    drifted = dataclasses.replace(drifted, image_grids=drifted.image_grids + 2)
    with pytest.raises(ConsistencyError, match="patch grids"):
        list(engine.generate([drifted], SETTINGS))
    assert max(bench.gaps(name, [bench.prompt(0)], SETTINGS)) < TOLERANCE


def test_a_prompt_that_vllm_expands_to_other_tokens_is_refused(bench: Any) -> None:
    prompt = bench.prompt(0)
    at = int(np.flatnonzero(prompt.prompt_ids[0] == bench.processor.image_token_id)[0])
    shorter = np.delete(prompt.prompt_ids, at, axis=1)
    drifted = dataclasses.replace(
        prompt, prompt_ids=shorter, prompt_lengths=prompt.prompt_lengths - 1
    )
    with pytest.raises(ConsistencyError, match="tokens, the engine makes"):
        list(bench.engine("vllm").generate([drifted], SETTINGS))


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize(
    "break_it",
    [
        pytest.param(lambda tensors: tensors[:-3], id="missing"),
        pytest.param(
            lambda tensors: [*tensors, ("model.none.weight", torch.ones(1))], id="unknown"
        ),
        pytest.param(lambda tensors: [(n, torch.ones(3, 5)) for n, _ in tensors], id="misshapen"),
    ],
)
def test_weights_of_another_model_are_refused(
    bench: Any, name: str, break_it: Callable[[Any], Any]
) -> None:
    engine = bench.engine(name)
    with pytest.raises(ConsistencyError):
        engine.load_weights(break_it(list(bench.model.named_parameters())), bench.version + 1)
    assert engine.policy_version == bench.version


def test_vllm_sees_the_pixels_that_the_other_roles_see(bench: Any) -> None:
    prompt = bench.prompt(2)
    image = open_image(prompt.image(0))
    inputs = bench.engine("vllm")._inputs(prompt)
    raw = inputs["mm_kwargs"]["image"][0]["pixel_values"].data.float()
    exact, _ = bench.processor.pixels([image])
    processor = bench.processor
    channels = raw.view(len(raw), 3, -1) * processor.rescale_factor
    mean, std = (torch.tensor(v).view(1, 3, 1) for v in (processor.image_mean, processor.image_std))
    normal = ((channels - mean) / std).view(len(raw), -1)
    torch.testing.assert_close(normal, torch.from_numpy(exact), atol=1e-5, rtol=0.0)
