"""Encoded images as upright RGB pictures of a bounded size."""

import io
import struct
import zlib
from typing import Final

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

MAX_IMAGE_PIXELS: Final = 89_000_000
"""Larger pictures are refused from their header, before any pixel is decoded."""

FORMATS: Final = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
"""Formats that are tried; others reach decoders that start programs or parse documents."""

# Decoders meet damaged files with whatever error their parsing runs into.
DECODER_ERRORS: Final = (
    OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, AttributeError,
    OverflowError, struct.error, zlib.error, RuntimeError, MemoryError,
    Image.DecompressionBombError, Image.DecompressionBombWarning,
)  # fmt: skip


def open_image(raw: bytes) -> Image.Image:
    """The picture in `raw`: RGB, upright, fully decoded; the same bytes give the same pixels.

    Transparent parts become white, as vLLM and Qwen's own tools do: figures are often black lines
    on nothing. Of an animation the first frame is taken.

    Raises:
        ValueError: not an image of a known format, damaged, or above `MAX_IMAGE_PIXELS`.
    """
    if not raw:
        raise ValueError("the image is empty (0 bytes)")
    try:
        with Image.open(io.BytesIO(raw), formats=FORMATS) as image:
            width, height = image.size
            if width * height <= MAX_IMAGE_PIXELS:
                return _to_rgb(ImageOps.exif_transpose(image))
    except UnidentifiedImageError as error:
        raise ValueError(
            f"{len(raw)} bytes cannot be decoded as an image: none of {', '.join(FORMATS)}"
        ) from error
    except DECODER_ERRORS as error:
        cause = str(error) or type(error).__name__
        raise ValueError(f"{len(raw)} bytes cannot be decoded as an image: {cause}") from error
    raise ValueError(
        f"an image may have at most {MAX_IMAGE_PIXELS} pixels, got {width} x {height}; shrink it"
    )


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):  # convert() would clip 16-bit grey to white
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if "A" in image.mode or "transparency" in image.info:
        layer = image.convert("RGBA")
        page = Image.new("RGBA", layer.size, (255, 255, 255, 255))
        return Image.alpha_composite(page, layer).convert("RGB")
    return image.convert("RGB")
