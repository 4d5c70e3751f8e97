"""One hash for everything that turns a text and its images into tokens and pixels."""

import hashlib
import json
from typing import Any


def processor_fingerprint(processor: Any) -> str:
    """Hex sha256 of a transformers processor; equal in every process that would make equal inputs.

    Covers the class names, every setting of the image processor (pixel bounds included), the whole
    tokenizer (vocabulary, merges, added tokens) and the chat template.
    """
    content = {
        "classes": [
            type(part).__name__
            for part in (processor, processor.image_processor, processor.tokenizer)
        ],
        "image_processor": _settings(processor.image_processor),
        "tokenizer": _tokenizer(processor.tokenizer),
        "chat_template": processor.chat_template,
    }
    text = json.dumps(content, sort_keys=True, ensure_ascii=True, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()


def _settings(image_processor: Any) -> dict[str, Any]:
    settings = image_processor.to_dict()
    # The file's own labels change with who saved it, not with what it does.
    labels = ("processor_class", "image_processor_type", "auto_map", "transformers_version")
    return {
        key: value
        for key, value in settings.items()
        if key not in labels and not key.startswith("_") and value is not None
    }


def _tokenizer(tokenizer: Any) -> Any:
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return tokenizer.get_vocab()
    content = json.loads(backend.to_str())
    for state_of_last_call in ("truncation", "padding"):
        content.pop(state_of_last_call, None)
    return content


def _plain(value: Any) -> Any:
    """Enums by their value, mappings and sequences as such; anything else by its type alone."""
    if hasattr(value, "value"):
        return value.value
    if hasattr(value, "items"):
        return dict(value.items())
    if hasattr(value, "tolist"):
        return value.tolist()
    return type(value).__name__  # str() could hold an address, which differs between processes
