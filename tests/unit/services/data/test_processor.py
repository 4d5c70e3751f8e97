import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vppo_core.errors import InvalidDataError
from vppo_services.data.processor import PromptProcessor
from vppo_services.data.rows import BadPromptError, BadReason

Loader = Callable[..., PromptProcessor]
FAMILIES = ["qwen2.5-vl", "qwen3-vl"]


def picture(width: int, height: int, seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@pytest.mark.parametrize("family", FAMILIES)
def test_tokens_and_pixels_agree_on_the_grid(load: Loader, family: str) -> None:
    processor = load(family)
    images = [picture(100, 60), picture(56, 300), picture(5, 400), picture(900, 700)]

    prompt = processor.encode("<image>" * 4 + "How many?", images)
    pixels, grids = processor.pixels(images)

    assert np.array_equal(prompt.grids, grids)
    assert len(pixels) == grids.prod(axis=1).sum()
    visual = int((prompt.ids == processor.image_token_id).sum())
    assert visual == grids.prod(axis=1).sum() // processor.merge_size**2
    assert prompt.ids.dtype == prompt.grids.dtype == np.int32
    assert pixels.dtype == np.float32
    assert pixels.shape[1] == 3 * processor.temporal_patch_size * processor.patch_size**2


@pytest.mark.parametrize(("family", "patch"), [("qwen2.5-vl", 14), ("qwen3-vl", 16)])
def test_the_patch_size_is_the_model_s_own(load: Loader, family: str, patch: int) -> None:
    processor = load(family)

    assert (processor.patch_size, processor.temporal_patch_size, processor.merge_size) == (
        patch,
        2,
        2,
    )
    _, grids = processor.pixels([picture(patch * 4, patch * 6)])
    assert grids.tolist() == [[1, 6, 4]]


@pytest.mark.parametrize("family", FAMILIES)
def test_images_stay_within_the_pixel_bounds(load: Loader, family: str) -> None:
    small, large = 28 * 28 * 8, 28 * 28 * 16
    processor = load(family, min_pixels=small, max_pixels=large)

    for size in ((30, 30), (100, 90), (2000, 900)):
        _, grids = processor.pixels([picture(*size)])
        assert small <= grids.prod() * processor.patch_size**2 <= large
    assert processor.image_size == {"shortest_edge": small, "longest_edge": large}


def test_pixels_of_an_image_do_not_depend_on_its_neighbours(processor: PromptProcessor) -> None:
    images = [picture(56, 56, 1), picture(56, 56, 2), picture(84, 56, 3)]

    together, _ = processor.pixels(images)

    alone = [processor.pixels([image])[0] for image in images]
    assert np.array_equal(together, np.concatenate(alone))


def test_a_black_image_has_the_value_of_the_statistics(processor: PromptProcessor) -> None:
    pixels, _ = processor.pixels([Image.new("RGB", (56, 56))])

    assert processor.rescale_factor == pytest.approx(1 / 255)
    assert pixels == pytest.approx(-processor.image_mean[0] / processor.image_std[0], abs=1e-6)


def test_the_prompt_is_the_model_s_own_chat_format(processor: PromptProcessor) -> None:
    prompt = processor.encode("Look: <image>\nHow many?", [picture(56, 56)])

    assert processor.decode(processor.collapse(prompt.ids), skip_special_tokens=False) == (
        "<|im_start|>user\nLook: <|vision_start|><|image_pad|><|vision_end|>\nHow many?<|im_end|>\n"
        "<|im_start|>assistant\n"
    )


def test_a_single_image_without_a_mark_stands_first(processor: PromptProcessor) -> None:
    image = picture(56, 56)

    assert np.array_equal(
        processor.encode("How many?", [image]).ids,
        processor.encode("<image>How many?", [image]).ids,
    )


def test_a_question_without_images_is_encoded(processor: PromptProcessor) -> None:
    prompt = processor.encode("How many legs has a spider?", [])

    assert prompt.grids.shape == (0, 3)
    assert processor.image_token_id not in prompt.ids
    pixels, grids = processor.pixels([])
    assert pixels.shape == (0, 3 * 2 * 14 * 14)
    assert grids.shape == (0, 3)


@pytest.mark.parametrize(
    ("text", "num_images", "reason"),
    [
        pytest.param("<image>a", 2, BadReason.IMAGE_COUNT, id="an-image-too-many"),
        pytest.param("<image><image>a", 1, BadReason.IMAGE_COUNT, id="a-mark-too-many"),
        pytest.param("a", 2, BadReason.IMAGE_COUNT, id="two-images-without-marks"),
        pytest.param("<image>a", 0, BadReason.IMAGE_COUNT, id="a-mark-without-image"),
        pytest.param("a<|image_pad|>", 1, BadReason.SPECIAL_TOKEN, id="the-model-s-image-token"),
        pytest.param("a<|video_pad|>", 0, BadReason.SPECIAL_TOKEN, id="the-model-s-video-token"),
    ],
)
def test_marks_and_images_must_agree(
    processor: PromptProcessor, text: str, num_images: int, reason: BadReason
) -> None:
    with pytest.raises(BadPromptError) as caught:
        processor.encode(text, [picture(56, 56)] * num_images)

    assert caught.value.reason is reason


def test_an_absurd_shape_is_refused_as_the_image_s_fault(processor: PromptProcessor) -> None:
    with pytest.raises(BadPromptError, match="aspect ratio") as caught:
        processor.encode("a", [picture(1000, 2)])

    assert caught.value.reason is BadReason.REFUSED_IMAGE


def test_each_run_of_image_tokens_collapses_to_one(processor: PromptProcessor) -> None:
    image = processor.image_token_id

    assert processor.collapse([1, image, image, 2, image, 3, 3]) == [1, image, 2, image, 3, 3]


@pytest.mark.parametrize("family", FAMILIES)
def test_vision_tokens_are_banned_and_end_tokens_are_known(load: Loader, family: str) -> None:
    processor = load(family)
    names = processor.tokenizer.convert_ids_to_tokens(list(processor.banned_ids))

    assert set(names) == {
        "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>",
    }  # fmt: skip
    assert processor.decode(processor.eos_ids, skip_special_tokens=False) == "<|im_end|>"
    assert processor.decode([processor.pad_id], skip_special_tokens=False) == "<|endoftext|>"
    assert processor.decode([*processor.tokenizer.encode("\\boxed{3}"), 2]) == "\\boxed{3}"


def test_the_generation_config_adds_end_tokens(
    processor_folders: dict[str, Path], tmp_path: Path
) -> None:
    folder = copy_of(processor_folders["qwen2.5-vl"], tmp_path)
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": [2, 0]}))

    assert load_from(folder).eos_ids == (2, 0)


@pytest.mark.slow
def test_the_fingerprint_is_equal_in_another_process(
    processor_folders: dict[str, Path], processor: PromptProcessor
) -> None:
    code = (
        "import sys; from vppo_services.data.processor import PromptProcessor as P\n"
        "print(P.load(sys.argv[1], min_pixels=3136, max_pixels=50176).fingerprint)"
    )
    command = [sys.executable, "-c", code, str(processor_folders["qwen2.5-vl"])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONHASHSEED": "7"}

    shown = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)

    assert shown.stdout.strip() == processor.fingerprint


def test_the_fingerprint_does_not_change_with_use_or_saving(load: Loader, tmp_path: Path) -> None:
    processor = load()
    processor.tokenizer(["a", "a b c"], padding=True, truncation=True, max_length=2)
    processor._processor.save_pretrained(tmp_path)

    assert load_from(tmp_path).fingerprint == processor.fingerprint


def test_the_fingerprint_changes_with_what_makes_inputs(
    load: Loader, processor_folders: dict[str, Path], tmp_path: Path
) -> None:
    folder = copy_of(processor_folders["qwen2.5-vl"], tmp_path)
    template = folder / "chat_template.jinja"
    template.write_text(template.read_text() + " ")

    prints = {
        load().fingerprint,
        load("qwen3-vl").fingerprint,
        load(max_pixels=28 * 28 * 32).fingerprint,
        load(min_pixels=28 * 28).fingerprint,
        load_from(folder).fingerprint,
    }
    assert len(prints) == 5


def test_the_layout_of_published_checkpoints_is_read(
    processor_folders: dict[str, Path], tmp_path: Path
) -> None:
    folder = copy_of(processor_folders["qwen2.5-vl"], tmp_path)
    (folder / "processor_config.json").unlink()
    settings = {
        "image_processor_type": "Qwen2VLImageProcessor",
        "processor_class": "Qwen2_5_VLProcessor",
        "min_pixels": 3136,
        "max_pixels": 12845056,
        "patch_size": 14,
        "merge_size": 2,
        "temporal_patch_size": 2,
        "image_mean": [0.45] * 3,
        "image_std": [0.5] * 3,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))

    processor = load_from(folder)

    assert processor.image_size == {"shortest_edge": 3136, "longest_edge": 50176}
    assert processor.encode("a", [picture(56, 56)]).grids.tolist() == [[1, 4, 4]]


def test_a_model_without_vision_is_refused(
    processor_folders: dict[str, Path], tmp_path: Path
) -> None:
    folder = copy_of(processor_folders["qwen2.5-vl"], tmp_path)
    (folder / "processor_config.json").unlink()
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    settings.pop("processor_class")
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    (folder / "config.json").write_text('{"model_type": "qwen2"}')

    with pytest.raises(InvalidDataError, match="must be a vision-language model"):
        load_from(folder)


def test_a_model_without_chat_template_is_refused(
    processor_folders: dict[str, Path], tmp_path: Path
) -> None:
    folder = copy_of(processor_folders["qwen2.5-vl"], tmp_path)
    (folder / "chat_template.jinja").unlink()

    with pytest.raises(InvalidDataError, match="must have a chat template"):
        load_from(folder)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param({"tokenizer.json": "{"}, id="tokenizer"),
        pytest.param({"processor_config.json": "{"}, id="processor"),
        pytest.param({"processor_config.json": '{"processor_class": "Nothing"}'}, id="class"),
    ],
)
def test_a_damaged_folder_is_refused(
    processor_folders: dict[str, Path], tmp_path: Path, damage: dict[str, str]
) -> None:
    folder = copy_of(processor_folders["qwen2.5-vl"], tmp_path)
    for name, text in damage.items():
        (folder / name).write_text(text)

    with pytest.raises(InvalidDataError, match=r"model\.source"):
        load_from(folder)


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidDataError, match="has no processor that can be read"):
        load_from(tmp_path / "nothing")


def copy_of(folder: Path, target: Path) -> Path:
    for file in folder.iterdir():
        (target / file.name).write_bytes(file.read_bytes())
    return target


def load_from(folder: Path) -> PromptProcessor:
    return PromptProcessor.load(str(folder), min_pixels=28 * 28 * 4, max_pixels=28 * 28 * 64)
