"""A pretrained vision-language model, ready for packed forwards."""

from typing import Any

import torch
from transformers import AutoConfig, AutoModelForImageTextToText

from vppo_core.errors import InvalidDataError
from vppo_core.spec.model import DType, ModelSpec

DTYPES = {DType.FLOAT32: torch.float32, DType.BFLOAT16: torch.bfloat16}


def check_model(spec: ModelSpec) -> None:
    """Refuse a model that is not there or cannot see, before any process is started.

    Raises:
        InvalidDataError: with one sentence that names `model.source`.
    """
    config = _config(spec)
    if not hasattr(config, "vision_config"):
        raise InvalidDataError(
            f"model.source must be a vision-language model, got '{spec.source}' of type "
            f"'{config.model_type}' without a vision tower; choose one such as Qwen2.5-VL"
        )
    if type(config) not in AutoModelForImageTextToText._model_mapping:
        raise InvalidDataError(
            f"model.source must be an image-text-to-text model, got type '{config.model_type}'; "
            "choose one that transformers loads with AutoModelForImageTextToText"
        )


def load_policy(spec: ModelSpec, *, dtype: torch.dtype, device: str = "cpu") -> Any:
    """The model in `dtype` on `device`, in evaluation mode: dropout never enters a ratio."""
    model = AutoModelForImageTextToText.from_pretrained(
        spec.source,
        revision=spec.revision or None,
        dtype=dtype,
        attn_implementation=spec.attention.value,
    )
    if not hasattr(model.model, "get_rope_index"):
        raise InvalidDataError(
            f"model.source '{spec.source}' of type '{model.config.model_type}' has no multimodal "
            "rotary positions; packed training knows the Qwen2-VL, Qwen2.5-VL and Qwen3-VL families"
        )
    model.config.use_cache = False
    return model.to(device).eval()


def _config(spec: ModelSpec) -> Any:
    try:
        return AutoConfig.from_pretrained(spec.source, revision=spec.revision or None)
    except (OSError, ValueError) as error:
        first = str(error).strip().splitlines()[0]
        raise InvalidDataError(
            f"model.source '{spec.source}' cannot be read: {first}; "
            "give a folder with config.json and weights, or a Hugging Face id"
        ) from error
