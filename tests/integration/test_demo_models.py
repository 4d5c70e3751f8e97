"""The trained demo models: half right at the start, and looking only where they name a colour."""

from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import AutoModelForImageTextToText, AutoProcessor

from vppo_services.demo.dataset import stream
from vppo_services.demo.ensure import resolve
from vppo_services.demo.model import FAMILIES
from vppo_services.demo.task import NUM_CELLS, NUM_WORDS
from vppo_services.demo.warm_start import PIXELS, Samples, Teacher, expected_accuracy

pytestmark = pytest.mark.slow

ANSWER_TOKENS = NUM_CELLS + 5  # blank-led backslash, boxed, brace, colours, brace, end of turn


@pytest.fixture(scope="module", params=FAMILIES)
def folder(request) -> Path:
    return Path(resolve(f"demo://{request.param}"))


@pytest.fixture(scope="module")
def model(folder):
    return AutoModelForImageTextToText.from_pretrained(folder).eval()


@pytest.fixture(scope="module")
def teacher(folder) -> Teacher:
    return Teacher(AutoProcessor.from_pretrained(folder))


@pytest.fixture(scope="module")
def samples(teacher) -> Samples:
    return teacher.draw(stream("validation", 5), 256, ramble=True, blacken=False)


def test_a_trained_model_is_right_about_half_of_the_time(model, samples):
    assert 0.4 < expected_accuracy(model, samples, ANSWER_TOKENS) < 0.68


def test_dependency_is_high_on_colours_and_nothing_on_talk(model, teacher, samples):
    generator = torch.Generator().manual_seed(0)
    masked = torch.rand(len(samples.pixels), generator=generator) < 0.5
    mean, std = (torch.tensor(v) for v in (teacher.images.image_mean, teacher.images.image_std))
    black = (-mean / std).repeat_interleave(samples.pixels.shape[1] // 3).float()
    dark = torch.where(masked[:, None], black, samples.pixels)
    clean, perturbed = (_log_probs(model, samples, pixels) for pixels in (samples.pixels, dark))
    dependency = (clean.exp() * (clean - perturbed)).sum(-1)
    assert dependency.shape[1] == NUM_WORDS + ANSWER_TOKENS
    talk, colours = dependency[:, :NUM_WORDS], dependency[:, NUM_WORDS + 3 : -2]
    assert colours.shape[1] == NUM_CELLS
    assert float(colours.mean()) > 0.3
    assert float(talk.mean()) < 0.02
    assert float((dependency < 0.01).float().mean()) > 0.75


def test_sampled_answers_are_as_often_right_as_the_expectation_says(model, teacher, samples):
    prompt = samples.token_ids[:, : -samples.num_response]
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        said = model.generate(
            input_ids=prompt,
            attention_mask=torch.ones_like(prompt),
            mm_token_type_ids=samples.type_ids[:, : prompt.shape[1]],
            pixel_values=samples.pixels,
            image_grid_thw=samples.grids,
            max_new_tokens=40,
            do_sample=True,
            top_k=0,
        )[:, prompt.shape[1] :]
    right = teacher.tokenizer.batch_decode(samples.token_ids[:, -ANSWER_TOKENS:])
    given = teacher.tokenizer.batch_decode(said)
    pairs = zip(right, given, strict=True)
    accuracy = sum(wanted.strip() in text for wanted, text in pairs) / len(given)
    expected = expected_accuracy(model, samples, ANSWER_TOKENS)
    assert accuracy == pytest.approx(expected, abs=0.12)


def test_the_picture_takes_one_visual_token_per_cell(samples):
    assert PIXELS == {"shortest_edge": 3136, "longest_edge": 4096}
    assert samples.grids.tolist()[0] == [1, 4, 4]


def _log_probs(model, samples: Samples, pixels: Tensor) -> Tensor:
    with torch.no_grad():
        logits = model(
            input_ids=samples.token_ids,
            mm_token_type_ids=samples.type_ids,
            pixel_values=pixels,
            image_grid_thw=samples.grids,
            logits_to_keep=samples.num_response + 1,
            use_cache=False,
        ).logits[:, :-1]
    return logits.log_softmax(-1)
