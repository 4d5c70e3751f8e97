"""Tiny Qwen-VL processors made from nothing: no hub, no download."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    PreTrainedTokenizerFast,
    Qwen2_5_VLProcessor,
    Qwen2VLImageProcessor,
    Qwen2VLVideoProcessor,
    Qwen3VLProcessor,
    Qwen3VLVideoProcessor,
)

from vppo_services.data.processor import PromptProcessor

SPECIAL_TOKENS = [
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
]
SENTENCES = [
    "How many red squares are there? Answer in \\boxed{3}.",
    "List the colours of the picture.",
]
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{% if message.content is string %}{{ message.content }}{% else %}"
    "{% for part in message.content %}{% if part.type == 'image' %}"
    "<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part.text }}{% endif %}{% endfor %}"
    "{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def build_tokenizer() -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=SPECIAL_TOKENS,
        show_progress=False,
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=SPECIAL_TOKENS,
    )


def build_processor(folder: Path, family: str) -> Path:
    patch, mean = (14, 0.45) if family == "qwen2.5-vl" else (16, 0.5)
    image = Qwen2VLImageProcessor(
        patch_size=patch,
        merge_size=2,
        temporal_patch_size=2,
        image_mean=[mean] * 3,
        image_std=[0.5] * 3,
    )
    parts = {"image_processor": image, "tokenizer": build_tokenizer()}
    if family == "qwen2.5-vl":
        video = Qwen2VLVideoProcessor(patch_size=patch)
        processor = Qwen2_5_VLProcessor(**parts, video_processor=video, chat_template=CHAT_TEMPLATE)
    else:
        video = Qwen3VLVideoProcessor(patch_size=patch)
        processor = Qwen3VLProcessor(**parts, video_processor=video, chat_template=CHAT_TEMPLATE)
    processor.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def processor_folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("processors")
    return {name: build_processor(root / name, name) for name in ("qwen2.5-vl", "qwen3-vl")}


@pytest.fixture(scope="session")
def load(processor_folders: dict[str, Path]) -> Callable[..., PromptProcessor]:
    def loader(
        family: str = "qwen2.5-vl", *, min_pixels: int = 28 * 28 * 4, max_pixels: int = 28 * 28 * 64
    ) -> PromptProcessor:
        folder = processor_folders[family]
        return PromptProcessor.load(str(folder), min_pixels=min_pixels, max_pixels=max_pixels)

    return loader


@pytest.fixture(scope="session")
def processor(load: Callable[..., PromptProcessor]) -> PromptProcessor:
    return load()


@pytest.fixture(scope="session")
def png() -> Callable[..., bytes]:
    def make(width: int = 56, height: int = 56, colour: str = "red", kind: str = "PNG") -> bytes:
        out = io.BytesIO()
        Image.new("RGB", (width, height), colour).save(out, kind)
        return out.getvalue()

    return make


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VPPO_CACHE", str(tmp_path_factory.mktemp("cache")))
