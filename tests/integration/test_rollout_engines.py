"""Both engines against a plain teacher-forced forward of the same weights."""

import dataclasses
import io
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForImageTextToText

from vppo_core.batch.prompts import PromptBatch
from vppo_core.batch.trajectories import TrajectoryBatch
from vppo_core.errors import ConsistencyError
from vppo_core.spec.data import DataSpec
from vppo_core.spec.model import DType, ModelSpec
from vppo_core.spec.rollout import RolloutSpec
from vppo_services.data.images import open_image
from vppo_services.data.processor import PromptProcessor
from vppo_services.data.prompts import PromptFactory
from vppo_services.data.rows import Row
from vppo_services.demo.model import FAMILIES, build_model
from vppo_services.demo.task import QUESTION, draw_picture
from vppo_services.rollout import vllm_reload
from vppo_services.rollout.engine import RolloutEngine, create_engine
from vppo_services.rollout.sampling import SamplingSettings
from vppo_services.rollout.token_draw import next_token_log_probs

pytestmark = pytest.mark.slow

ENGINES = ("vllm", "transformers")
TOLERANCE = 1e-3
SETTINGS = SamplingSettings(group_size=4, max_tokens=20, temperature=1.0, run_seed=5)
# Longer than a block of vLLM's keys and values on a CPU, so that the prefix cache has work.
TALK = " Think aloud" * 60


class Bench:
    """One family's model as the truth, and the engines that must follow it."""

    def __init__(self, family: str, folder: Any) -> None:
        build_model(family, folder)
        self.model = AutoModelForImageTextToText.from_pretrained(folder).eval()
        self.version = 0
        self.is_tied = family == "qwen3-vl"
        self.change(scale=4.0)
        self.model.save_pretrained(folder)
        spec = ModelSpec(
            source=str(folder), dtype=DType.FLOAT32, min_pixels=56 * 56, max_pixels=256 * 256
        )
        self.processor = PromptProcessor.load(
            spec.source, min_pixels=spec.min_pixels, max_pixels=spec.max_pixels
        )
        self._factory = PromptFactory(self.processor, DataSpec(source="none"))
        self._engines: dict[str, RolloutEngine] = {}
        for name in ENGINES:
            rollout = RolloutSpec(
                engine=name,
                max_response_tokens=32,
                # Less than the prompts of a call: some must wait whole for the next step.
                max_batched_tokens=64,
                max_concurrent_sequences=6 if name == "transformers" else 16,
            )
            self._engines[name] = create_engine(spec, rollout, 0, max_prompt_tokens=512)
        # The engines loaded these very weights from the folder.
        self.version = 0

    def engine(self, name: str) -> Any:
        """The engine with the weights of the model as it is now."""
        engine = self._engines[name]
        if engine.policy_version != self.version:
            engine.load_weights(self.model.named_parameters(), self.version)
        return engine

    def change(self, *, scale: float = 1.0) -> None:
        """Other weights in the model, everywhere: the vision tower, the norms and the head."""
        self.version += 1
        generator = torch.Generator().manual_seed(self.version)
        with torch.no_grad():
            for parameter in self.model.parameters():
                noise = torch.randn(parameter.shape, generator=generator)
                size = 0.3 * parameter.std() if parameter.ndim > 1 else 0.05
                parameter.mul_(scale if parameter.ndim > 1 else 1.0).add_(size * noise)

    def prompt(self, number: int, *, question: str = QUESTION, images: int = 1) -> PromptBatch:
        pictures = [draw_picture(np.random.default_rng(10 * number + i)) for i in range(images)]
        raw = []
        for picture in pictures:
            out = io.BytesIO()
            picture.image.resize((84 + 56 * number, 84)).save(out, "PNG")
            raw.append(out.getvalue())
        problem = " and ".join(["<image>"] * images) + question
        return self._factory.make(
            Row(uid=f"row-{number}", problem=problem, images=raw, answer="a"), 0
        )

    def log_probs(
        self, prompt: PromptBatch, response: list[int], settings: SamplingSettings, ban: bool = True
    ) -> torch.Tensor:
        """[T, V] under the model as it is now, everything computed at once and without a cache."""
        ids = torch.tensor([[*prompt.ids(0).tolist(), *response]])
        images = [open_image(prompt.image(index)) for index in prompt.image_indices(0)]
        pixels, grids = self.processor.pixels(images)
        vision = {
            "pixel_values": torch.from_numpy(pixels),
            "image_grid_thw": torch.from_numpy(grids).long(),
        }
        with torch.no_grad():
            output = self.model(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                mm_token_type_ids=(ids == self.processor.image_token_id).int(),
                **(vision if images else {}),
            )
        logits = output.logits[0, len(prompt.ids(0)) - 1 : -1]
        return next_token_log_probs(logits, settings, self.processor.banned_ids if ban else ())

    def gap(self, prompt: PromptBatch, group: TrajectoryBatch, settings: SamplingSettings) -> float:
        """Mean distance in nats between the group's log-probs and the model's."""
        gaps = []
        for row in range(len(group)):
            ids = group.response_ids[row][group.response_mask[row]].tolist()
            exact = self.log_probs(prompt, ids, settings).gather(1, torch.tensor(ids)[:, None])
            sampled = torch.from_numpy(group.rollout_log_probs[row][group.response_mask[row]])
            gaps.append((exact[:, 0] - sampled).abs())
        return float(torch.cat(gaps).mean())

    def gaps(
        self, name: str, prompts: list[PromptBatch], settings: SamplingSettings
    ) -> list[float]:
        """The gap of every prompt's group, sampled by the engine as it is."""
        groups = dict(self._engines[name].generate(prompts, settings))
        return [self.gap(prompt, groups[i], settings) for i, prompt in enumerate(prompts)]

    def close(self) -> None:
        for engine in self._engines.values():
            engine.close()


@pytest.fixture(scope="module", params=FAMILIES)
def bench(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    bench = Bench(request.param, tmp_path_factory.mktemp("models") / request.param)
    yield bench
    bench.close()


@pytest.fixture
def mixed(bench: Bench) -> list[PromptBatch]:
    """Short, long, of several pictures, and of none."""
    return [
        bench.prompt(0),
        bench.prompt(1, question=QUESTION + TALK),
        bench.prompt(2, images=2),
        bench.prompt(3, images=0),
    ]


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
    bench: Bench, mixed: list[PromptBatch], name: str, settings: SamplingSettings
) -> None:
    bench.engine(name)
    assert max(bench.gaps(name, mixed, settings)) < TOLERANCE


@pytest.mark.parametrize("name", ENGINES)
def test_greedy_takes_the_most_probable_token_each_time(bench: Bench, name: str) -> None:
    settings = dataclasses.replace(SETTINGS, temperature=0.0, group_size=1)
    prompt = bench.prompt(0)
    [(_, group)] = bench.engine(name).generate([prompt], settings)
    ids = group.response_ids[0][group.response_mask[0]].tolist()
    exact = bench.log_probs(prompt, ids, settings)
    chosen = exact.gather(1, torch.tensor(ids)[:, None])[:, 0]
    assert (exact.max(dim=1).values - chosen).max() < TOLERANCE


@pytest.mark.parametrize("name", ENGINES)
def test_new_weights_answer_the_same_prompts_after_an_update(
    bench: Bench, mixed: list[PromptBatch], name: str
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
def leave_out(bench: Bench) -> Iterator[Callable[[Any], None]]:
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
    bench: Bench, mixed: list[PromptBatch], leave_out: Callable[[Any], None]
) -> None:
    leave_out(vllm_reload.dispatch_head)
    gaps = bench.gaps("vllm", mixed, SETTINGS)
    if bench.is_tied:
        assert min(gaps) > 100 * TOLERANCE
    else:
        assert max(gaps) < TOLERANCE  # the head came with the update and was packed by vLLM


def test_a_stale_prefix_cache_is_found_out(
    bench: Bench, mixed: list[PromptBatch], leave_out: Callable[[Any], None]
) -> None:
    list(bench.engine("vllm").generate(mixed, SETTINGS))
    leave_out(vllm_reload.reset_prefix_cache)
    gaps = bench.gaps("vllm", mixed, SETTINGS)
    assert gaps[1] > 100 * TOLERANCE
    assert gaps[0] < TOLERANCE, "shorter than a block, so never cached"


def test_a_stale_encoder_cache_is_found_out(
    bench: Bench, mixed: list[PromptBatch], leave_out: Callable[[Any], None]
) -> None:
    list(bench.engine("vllm").generate(mixed, SETTINGS))
    leave_out(vllm_reload.reset_encoder_cache)
    # vLLM's reload drops the encodings, but not its belief that it has them.
    with pytest.raises(RuntimeError, match="Encoder cache miss"):
        list(bench.engine("vllm").generate(mixed, SETTINGS))


@pytest.mark.parametrize("name", ENGINES)
def test_the_same_seed_draws_the_same_tokens_whatever_was_asked_before(
    bench: Bench, mixed: list[PromptBatch], name: str
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
    bench: Bench, name: str
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
def test_weights_wait_until_no_group_is_on_its_way(bench: Bench, name: str) -> None:
    engine = bench.engine(name)
    stream = engine.generate([bench.prompt(0), bench.prompt(1), bench.prompt(2)] * 2, SETTINGS)
    next(stream)
    with pytest.raises(ConsistencyError, match="one thing at a time"):
        engine.load_weights(bench.model.named_parameters(), bench.version + 1)
    stream.close()
    engine.load_weights(bench.model.named_parameters(), bench.version)
    assert max(bench.gaps(name, [bench.prompt(0)], SETTINGS)) < TOLERANCE


@pytest.mark.parametrize("name", ENGINES)
def test_vision_tokens_are_never_sampled(bench: Bench, name: str) -> None:
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
def test_a_prompt_of_another_processor_is_refused(bench: Bench, name: str) -> None:
    engine = bench.engine(name)
    foreign = dataclasses.replace(bench.prompt(0), processor_fingerprint="f" * 64)
    with pytest.raises(ConsistencyError, match="was made by processor"):
        list(engine.generate([foreign], SETTINGS))
    drifted = bench.prompt(0)
    drifted = dataclasses.replace(drifted, image_grids=drifted.image_grids + 2)
    with pytest.raises(ConsistencyError, match="patch grids"):
        list(engine.generate([drifted], SETTINGS))
    assert max(bench.gaps(name, [bench.prompt(0)], SETTINGS)) < TOLERANCE


def test_a_prompt_that_vllm_expands_to_other_tokens_is_refused(bench: Bench) -> None:
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
    bench: Bench, name: str, break_it: Callable[[Any], Any]
) -> None:
    engine = bench.engine(name)
    with pytest.raises(ConsistencyError):
        engine.load_weights(break_it(list(bench.model.named_parameters())), bench.version + 1)
    assert engine.policy_version == bench.version


def test_vllm_sees_the_pixels_that_the_other_roles_see(bench: Bench) -> None:
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
