"""A question with its image marks as the content of a chat turn."""

from typing import Final

from vppo_services.data.rows import BadPromptError, BadReason

IMAGE_MARK: Final = "<image>"
"""Stands in a question where an image stands."""


def content_parts(text: str, num_images: int) -> list[dict[str, str]]:
    """The parts of a user turn in order: `{"type": "image"}` for each mark, text between them.

    Raises:
        BadPromptError: the number of marks is not the number of images.
    """
    pieces = text.split(IMAGE_MARK)
    if num_images == 1 and len(pieces) == 1:
        pieces = ["", text]
    if len(pieces) - 1 != num_images:
        raise BadPromptError(
            BadReason.IMAGE_COUNT,
            f"a question must have one {IMAGE_MARK} per image, got {len(pieces) - 1} marks "
            f"and {num_images} images",
        )
    parts: list[dict[str, str]] = []
    for index, piece in enumerate(pieces):
        if index:
            parts.append({"type": "image"})
        if piece:
            parts.append({"type": "text", "text": piece})
    return parts
