"""What was sent, found again in what the server keeps."""

from typing import Any


def holds(kept: Any, sent: Any) -> bool:
    """Whether everything sent is there; the server may have added defaults."""
    if isinstance(sent, dict):
        return isinstance(kept, dict) and all(
            name in kept and holds(kept[name], value) for name, value in sent.items()
        )
    if isinstance(sent, list):
        same_length = isinstance(kept, list) and len(kept) == len(sent)
        return same_length and all(map(holds, kept, sent))
    return bool(kept == sent)
