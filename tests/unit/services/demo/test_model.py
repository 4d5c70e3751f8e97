from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForImageTextToText, AutoProcessor

from vppo_core.errors import InvalidDataError
from vppo_services.demo.model import FAMILIES, build_model
from vppo_services.demo.task import QUESTION, draw_picture

TURN = [
    {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": QUESTION}]},
]


@pytest.fixture(scope="module", params=FAMILIES)
def folder(request, tmp_path_factory) -> Path:
    made = tmp_path_factory.mktemp("model") / request.param
    build_model(request.param, made, seed=3)
    return made


@pytest.fixture(scope="module")
def inputs(folder):
    processor = AutoProcessor.from_pretrained(folder)
    size = {"shortest_edge": 3136, "longest_edge": 4096}
    text = processor.apply_chat_template(TURN, tokenize=False, add_generation_prompt=True)
    image = draw_picture(np.random.default_rng(0)).image
    return processor(text=[text], images=[image], images_kwargs={"size": size}, return_tensors="pt")


def test_one_pixel_range_gives_both_families_two_by_two_visual_tokens(folder, inputs):
    image_token_id = AutoProcessor.from_pretrained(folder).image_token_id
    assert inputs["image_grid_thw"].tolist() == [[1, 4, 4]]
    assert int((inputs["input_ids"] == image_token_id).sum()) == 4


def test_the_model_loads_without_missing_weights_and_sees_the_image(folder, inputs):
    model, info = AutoModelForImageTextToText.from_pretrained(folder, output_loading_info=True)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    with torch.no_grad():
        seen = model(**inputs).logits
        other = model(**{**inputs, "pixel_values": -inputs["pixel_values"]}).logits
    assert torch.isfinite(seen).all()
    assert not torch.equal(seen[0, -1], other[0, -1])


def test_the_model_is_small_and_every_vocabulary_row_is_a_token(folder):
    model = AutoModelForImageTextToText.from_pretrained(folder)
    tokenizer = AutoProcessor.from_pretrained(folder).tokenizer
    assert 500_000 < sum(weight.numel() for weight in model.parameters()) < 1_500_000
    assert model.config.text_config.vocab_size == len(tokenizer)
    assert sorted(tokenizer.get_vocab().values()) == list(range(len(tokenizer)))


def test_one_family_shares_head_and_embedding_and_the_other_does_not(folder):
    model = AutoModelForImageTextToText.from_pretrained(folder)
    shared = model.get_input_embeddings().weight is model.get_output_embeddings().weight
    assert shared is (folder.name == "qwen3-vl")


def test_a_seed_makes_the_same_weights_and_leaves_the_random_state_alone(tmp_path):
    before = torch.random.get_rng_state()
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        build_model("qwen2.5-vl", tmp_path / name, seed=seed)
    assert torch.equal(before, torch.random.get_rng_state())
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in "abc"]
    assert weights[0] == weights[1] != weights[2]


def test_an_unknown_family_is_refused_with_the_known_ones(tmp_path):
    with pytest.raises(InvalidDataError, match=r"qwen2\.5-vl, qwen3-vl, got 'llava'"):
        build_model("llava", tmp_path)
