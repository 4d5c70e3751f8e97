"""A tiny Qwen2.5-VL or Qwen3-VL made from its config, as a folder that every loader reads."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal, get_args

import torch
from transformers import (
    GenerationConfig,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
    Qwen2VLImageProcessor,
    Qwen2VLVideoProcessor,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    Qwen3VLProcessor,
    Qwen3VLVideoProcessor,
)
from transformers.utils import logging

from vppo_core.errors import InvalidDataError
from vppo_services.demo.tokenizer import (
    CHAT_TEMPLATE,
    IMAGE_PAD,
    VIDEO_PAD,
    VISION_END,
    VISION_START,
    build_tokenizer,
)

Family = Literal["qwen2.5-vl", "qwen3-vl"]
FAMILIES: Final[tuple[Family, ...]] = get_args(Family)

HIDDEN: Final = 128
TEXT: Final = {
    "hidden_size": HIDDEN,
    "intermediate_size": 256,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 4096,
    "rms_norm_eps": 1e-6,
}
VISION: Final = {
    "depth": 2,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_heads": 4,
    "out_hidden_size": HIDDEN,
    "spatial_merge_size": 2,
    "temporal_patch_size": 2,
    "hidden_act": "silu",
}
# Real models have a base of millions: over two columns of a picture its slow axes would not turn.
ROPE: Final = {"rope_type": "default", "mrope_section": [4, 6, 6]}
INITIAL_STD: Final = 0.05
CLIP_MEAN: Final = [0.48145466, 0.4578275, 0.40821073]
CLIP_STD: Final = [0.26862954, 0.26130258, 0.27577711]


def build_model(family: Family, folder: Path, seed: int = 0) -> None:
    """Write a Hugging Face folder: config, random float32 weights, tokenizer and processor.

    Qwen2.5-VL has a head of its own and 14 px patches; Qwen3-VL shares the head with the embedding
    and has 16 px patches, so that the two together exercise both kinds.

    Raises:
        InvalidDataError: an unknown family.
    """
    if family not in FAMILIES:
        raise InvalidDataError(
            f"the demo's model family must be one of {', '.join(FAMILIES)}, got '{family}'"
        )
    tokenizer = build_tokenizer()
    make_model, make_processor = _MAKERS[family]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = make_model(tokenizer)
    model.generation_config = GenerationConfig(
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id, do_sample=True
    )
    folder.mkdir(parents=True, exist_ok=True)
    with quiet_bars():
        model.save_pretrained(folder)
    processor = make_processor(tokenizer)
    # One file each besides the joint one: loaders differ in which they look for.
    processor.image_processor.save_pretrained(folder)
    processor.video_processor.save_pretrained(folder)
    processor.save_pretrained(folder)


@contextmanager
def quiet_bars() -> Iterator[None]:
    """No progress bars of transformers inside: a model this small is read in a blink."""
    enabled = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if enabled:
            logging.enable_progress_bar()


def _ids(tokenizer: Any) -> dict[str, int]:
    return {
        "image_token_id": tokenizer.convert_tokens_to_ids(IMAGE_PAD),
        "video_token_id": tokenizer.convert_tokens_to_ids(VIDEO_PAD),
        "vision_start_token_id": tokenizer.convert_tokens_to_ids(VISION_START),
        "vision_end_token_id": tokenizer.convert_tokens_to_ids(VISION_END),
    }


def _text(tokenizer: Any, **more: Any) -> dict[str, Any]:
    return {
        **TEXT,
        **more,
        "vocab_size": len(tokenizer),
        "initializer_range": INITIAL_STD,
        "bos_token_id": None,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }


def _qwen2_5(tokenizer: Any) -> Any:
    config = Qwen2_5_VLConfig(
        text_config=_text(tokenizer, rope_parameters={**ROPE, "rope_theta": 100.0}),
        vision_config={
            **VISION,
            "patch_size": 14,
            "window_size": 112,
            "fullatt_block_indexes": [1],
            "initializer_range": INITIAL_STD,
        },
        tie_word_embeddings=False,
        **_ids(tokenizer),
    )
    return Qwen2_5_VLForConditionalGeneration(config)


def _qwen3(tokenizer: Any) -> Any:
    rope = {**ROPE, "rope_theta": 10.0, "mrope_interleaved": True}
    config = Qwen3VLConfig(
        text_config=_text(tokenizer, head_dim=32, rope_parameters=rope),
        vision_config={
            **VISION,
            "patch_size": 16,
            "num_position_embeddings": 64,
            "deepstack_visual_indexes": [0, 1],
            "initializer_range": INITIAL_STD,
        },
        tie_word_embeddings=True,
        **_ids(tokenizer),
    )
    return Qwen3VLForConditionalGeneration(config)


def _qwen2_5_processor(tokenizer: Any) -> Any:
    common = {"patch_size": 14, "image_mean": CLIP_MEAN, "image_std": CLIP_STD}
    return Qwen2_5_VLProcessor(
        image_processor=Qwen2VLImageProcessor(**common),
        tokenizer=tokenizer,
        video_processor=Qwen2VLVideoProcessor(**common),
        chat_template=CHAT_TEMPLATE,
    )


def _qwen3_processor(tokenizer: Any) -> Any:
    common = {"patch_size": 16, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    return Qwen3VLProcessor(
        image_processor=Qwen2VLImageProcessor(**common),
        tokenizer=tokenizer,
        video_processor=Qwen3VLVideoProcessor(**common),
        chat_template=CHAT_TEMPLATE,
    )


_MAKERS: Final[dict[Family, tuple[Callable[[Any], Any], Callable[[Any], Any]]]] = {
    "qwen2.5-vl": (_qwen2_5, _qwen2_5_processor),
    "qwen3-vl": (_qwen3, _qwen3_processor),
}
