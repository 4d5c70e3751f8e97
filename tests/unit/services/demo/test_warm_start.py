from pathlib import Path

import pytest
import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor

from vppo_services.demo.dataset import stream
from vppo_services.demo.model import FAMILIES, build_model
from vppo_services.demo.warm_start import (
    Recipe,
    Teacher,
    expected_accuracy,
    response_log_probs,
    warm_start,
)

SHORT = Recipe(max_steps=2, long_samples=2, short_samples=2, held_out=4, check_every=1)


@pytest.fixture(scope="module", params=FAMILIES)
def folder(request, tmp_path_factory) -> Path:
    made = tmp_path_factory.mktemp("model") / request.param
    build_model(request.param, made)
    return made


@pytest.fixture(scope="module")
def teacher(folder) -> Teacher:
    return Teacher(AutoProcessor.from_pretrained(folder))


def test_samples_end_the_turn_and_hold_four_visual_tokens_each(teacher):
    samples = teacher.draw(stream("train", 0), 3, ramble=True, blacken=False)
    assert samples.token_ids.shape == samples.type_ids.shape
    assert samples.type_ids.sum(1).tolist() == [4, 4, 4]
    assert (samples.token_ids[:, -1] == teacher.tokenizer.eos_token_id).all()
    response = samples.token_ids[0, -samples.num_response :]
    assert teacher.tokenizer.decode(response[-8:]).endswith(" }<|im_end|>")


def test_black_patches_are_what_a_black_picture_is_processed_to(teacher):
    black = teacher.images(
        images=[Image.new("RGB", (56, 56))],
        size={"shortest_edge": 3136, "longest_edge": 4096},
        return_tensors="pt",
    )["pixel_values"]
    clean = teacher.draw(stream("train", 0), 64, ramble=False, blacken=False).pixels
    mixed = teacher.draw(stream("train", 0), 64, ramble=False, blacken=True).pixels
    changed = (clean != mixed).any(1)
    assert 0.1 < changed.float().mean() < 0.4
    torch.testing.assert_close(mixed[changed], black[:1].expand(int(changed.sum()), -1))


def test_expected_accuracy_is_the_probability_of_the_last_tokens(folder, teacher):
    model = AutoModelForImageTextToText.from_pretrained(folder)
    samples = teacher.draw(stream("train", 0), 2, ramble=True, blacken=False)
    with torch.no_grad():
        log_probs = response_log_probs(model, samples)
    assert log_probs.shape == (2, samples.num_response)
    assert (log_probs < 0).all()
    expected = float(log_probs[:, -3:].sum(1).exp().mean())
    assert expected_accuracy(model, samples, 3) == pytest.approx(expected, rel=1e-5)


def test_the_same_recipe_teaches_the_same_weights(tmp_path):
    threads, state = torch.get_num_threads(), torch.random.get_rng_state()
    for name in ("a", "b"):
        build_model("qwen2.5-vl", tmp_path / name)
        warm_start(tmp_path / name, SHORT)
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("a", "b")]
    assert weights[0] == weights[1]
    assert torch.get_num_threads() == threads
    assert torch.equal(state, torch.random.get_rng_state())


def test_progress_ends_at_the_total_even_when_the_goal_comes_early(tmp_path):
    build_model("qwen3-vl", tmp_path)
    calls: list[tuple[int, int]] = []
    eager = Recipe(goal=0.0, long_samples=2, short_samples=2, held_out=4, check_every=1)
    warm_start(tmp_path, eager, lambda step, total: calls.append((step, total)))
    assert calls == [(eager.max_steps, eager.max_steps)]
