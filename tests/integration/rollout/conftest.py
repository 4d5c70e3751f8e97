"""The truth that both rollout engines are held against."""

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForImageTextToText

from vppo_core.batch.prompts import PromptBatch
from vppo_core.batch.trajectories import TrajectoryBatch
from vppo_core.spec.data import DataSpec
from vppo_core.spec.model import DType, ModelSpec
from vppo_core.spec.rollout import RolloutSpec
from vppo_services.data.images import open_image
from vppo_services.data.processor import PromptProcessor
from vppo_services.data.prompts import PromptFactory
from vppo_services.data.rows import Row
from vppo_services.demo.model import FAMILIES, build_model
from vppo_services.demo.task import QUESTION, draw_picture
from vppo_services.rollout.engine import RolloutEngine, create_engine
from vppo_services.rollout.sampling import SamplingSettings
from vppo_services.rollout.token_draw import next_token_log_probs

ENGINES = ("vllm", "transformers")
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
