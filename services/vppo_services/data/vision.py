"""Reads a model's processor files and what they say about vision and special tokens."""

from typing import Any, Final

from transformers import AutoProcessor, GenerationConfig

from vppo_core.errors import InvalidDataError

VISION_TOKENS: Final = (
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
"""Special tokens of the Qwen-VL families; a processor's own `image_token` and such are added."""

# What a damaged or foreign folder makes transformers raise.
LOAD_ERRORS: Final = (OSError, ValueError, LookupError, TypeError, AttributeError, ImportError)


def load_processor_files(source: str, revision: str) -> Any:
    """The transformers processor of a folder or Hugging Face id, with vision and a chat template.

    Raises:
        InvalidDataError: one of these is missing or damaged.
    """
    try:
        processor = AutoProcessor.from_pretrained(
            source, revision=revision or None, trust_remote_code=False
        )
    except LOAD_ERRORS as error:
        raise InvalidDataError(
            f"model.source '{source}' has no processor that can be read: {first_line(error)}; "
            "give a folder with tokenizer, preprocessor_config.json and chat template, "
            "or a Hugging Face id"
        ) from error
    _require_vision(processor, source)
    if processor.chat_template is None:
        processor.chat_template = processor.tokenizer.chat_template
    if processor.chat_template is None:
        raise InvalidDataError(
            f"model.source '{source}' must have a chat template, got none; choose the "
            "instruction-tuned checkpoint, or add chat_template.jinja to the folder"
        )
    return processor


def _require_vision(processor: Any, source: str) -> None:
    image = getattr(processor, "image_processor", None)
    if image is None or getattr(processor, "tokenizer", None) is None:
        raise InvalidDataError(
            f"model.source must be a vision-language model, got '{source}' with only a "
            f"{type(processor).__name__}; choose one that sees, such as Qwen2.5-VL"
        )
    names = ("patch_size", "temporal_patch_size", "merge_size")
    missing = [name for name in names if not hasattr(image, name)]
    if missing or not hasattr(processor, "image_token_id"):
        raise InvalidDataError(
            f"model.source must have an image processor that gives patch grids, got '{source}' "
            f"with {type(image).__name__} (no {', '.join(missing) or 'image token'}); the "
            "Qwen2-VL, Qwen2.5-VL and Qwen3-VL families are known"
        )


def normalisation(image: Any) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation of each channel that pixels are normalised with; 0 and 1 for none."""
    if not image.do_normalize:
        return (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    return tuple(map(float, image.image_mean)), tuple(map(float, image.image_std))


def find_vision_tokens(processor: Any) -> dict[str, int]:
    """Every token that stands for a picture or film, by its text; none may ever be sampled."""
    own = ("image_token", "video_token", "vision_start_token", "vision_end_token")
    names = {*VISION_TOKENS, *(getattr(processor, name, None) for name in own)}
    vocabulary = processor.tokenizer.get_vocab()
    return {name: int(vocabulary[name]) for name in sorted(filter(None, names & vocabulary.keys()))}


def find_eos_ids(tokenizer: Any, source: str, revision: str) -> list[int]:
    """Tokens that end an answer: the tokenizer's first, then those of generation_config.json."""
    found = [tokenizer.eos_token_id]
    try:
        config = GenerationConfig.from_pretrained(source, revision=revision or None)
        eos = config.eos_token_id
        found += eos if isinstance(eos, list) else [eos]
    except OSError:
        pass  # many folders have no such file
    ids = list(dict.fromkeys(int(token) for token in found if token is not None))
    if not ids:
        raise InvalidDataError(
            f"model.source '{source}' must name an end-of-text token, got none; "
            "set eos_token in tokenizer_config.json"
        )
    return ids


def first_line(error: BaseException) -> str:
    """First line of an error's text: the rest is advice that does not fit here."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
