import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from vppo_services.data import images
from vppo_services.data.images import open_image


def encode(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def png_header(width: int, height: int) -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM"])
def test_every_known_format_becomes_rgb(png: Callable[..., bytes], kind: str) -> None:
    image = open_image(png(20, 10, "red", kind))

    assert image.mode == "RGB"
    assert image.size == (20, 10)
    assert np.abs(np.asarray(image).mean(axis=(0, 1)) - [255, 0, 0]).max() < 3


@pytest.mark.parametrize(
    "mode", ["L", "1", "P", "CMYK", "YCbCr", "LA", "RGBA", "I;16"], ids=lambda mode: f"mode-{mode}"
)
def test_every_mode_becomes_rgb(mode: str) -> None:
    kind = "TIFF" if mode in ("CMYK", "YCbCr") else "PNG"
    image = Image.new("RGB", (4, 4), "white")
    image = Image.new("I;16", (4, 4), 65535) if mode == "I;16" else image.convert(mode)

    assert np.asarray(open_image(encode(image, kind))).min() >= 250


def test_transparent_parts_become_white() -> None:
    image = Image.new("RGBA", (2, 1), (0, 0, 0, 0))
    image.putpixel((1, 0), (0, 0, 0, 255))

    assert np.asarray(open_image(encode(image))).tolist() == [[[255] * 3, [0] * 3]]


def test_sixteen_bit_grey_keeps_its_shades() -> None:
    image = Image.fromarray(np.array([[0, 0x8000, 0xFFFF]], dtype=np.uint16))

    assert np.asarray(open_image(encode(image)))[0, :, 0].tolist() == [0, 128, 255]


def test_a_rotated_photo_is_put_upright() -> None:
    image = Image.new("RGB", (30, 10), "red")
    exif = Image.Exif()
    exif[0x0112] = 6

    assert open_image(encode(image, "JPEG", exif=exif)).size == (10, 30)


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        pytest.param(b"", "empty", id="no-bytes"),
        pytest.param(b"not an image", "cannot be decoded", id="text"),
        pytest.param(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "decoded", id="program"),
        pytest.param(png_header(20_000, 20_000), "cannot be decoded|at most", id="bomb"),
        pytest.param(png_header(10_000, 9_000), "at most 89000000 pixels, got 10000 x", id="large"),
        pytest.param(png_header(100, 100), "cannot be decoded", id="no-pixels"),
    ],
)
def test_what_is_no_image_is_refused_with_a_sentence(raw: bytes, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        open_image(raw)


def test_a_truncated_image_is_refused(png: Callable[..., bytes]) -> None:
    raw = png(64, 64, "green", "JPEG")

    with pytest.raises(ValueError, match="cannot be decoded"):
        open_image(raw[: len(raw) // 2])


@given(kind=st.sampled_from(["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP"]), data=st.data())
def test_a_damaged_file_never_raises_anything_else(kind: str, data: st.DataObject) -> None:
    raw = bytearray(encode(Image.new("RGB", (24, 24), "blue"), kind))
    places = st.tuples(st.integers(0, len(raw) - 1), st.integers(0, 255))
    for place, value in data.draw(st.lists(places, min_size=1, max_size=8)):
        raw[place] = value

    try:
        image = open_image(bytes(raw))
    except ValueError:
        return
    assert image.mode == "RGB"
    assert image.width * image.height <= images.MAX_IMAGE_PIXELS
