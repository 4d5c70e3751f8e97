"""The task of the demo: name the colours of four shapes, after some talk about nothing.

A picture is two by two cells, each one merged visual token wide, with one coloured shape per cell.
The answer names the colours row by row and is right only when all four are. Sixteen words drawn at
random come first; they do not depend on the picture, so token dependency has something to find.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image, ImageDraw

COLOURS: Final = {
    "red": (214, 48, 49),
    "green": (46, 160, 67),
    "blue": (41, 98, 217),
    "yellow": (240, 200, 30),
    "purple": (142, 68, 173),
    "orange": (236, 126, 26),
}
SHAPES: Final = ("circle", "square", "triangle", "diamond")
# fmt: off
WORDS: Final = (
    "well", "so", "now", "then", "first", "next", "maybe", "perhaps",
    "surely", "clearly", "simply", "slowly", "gently", "quietly", "calmly", "again",
    "once", "here", "there", "over", "under", "across", "along", "around",
    "beyond", "within", "between", "before", "after", "later", "soon", "still",
)
# fmt: on
NUM_WORDS: Final = 16
NUM_CELLS: Final = 4
CELL_PIXELS: Final = 28
IMAGE_PIXELS: Final = 2 * CELL_PIXELS
QUESTION: Final = "Think aloud, then list the colours."
SHORT_QUESTION: Final = "List the colours."
COLOUR_JITTER: Final = 22
RADIUS: Final = (5.0, 7.0)
BACKGROUND: Final = (214, 246)


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture and the colours of its cells, row by row."""

    image: Image.Image
    colours: tuple[str, ...]

    @property
    def answer(self) -> str:
        """The right answer: four colour names with single spaces."""
        return " ".join(self.colours)


def draw_picture(rng: np.random.Generator) -> Picture:
    """A new 56 x 56 picture; equal generators draw equal pictures."""
    names = tuple(COLOURS)
    colours = tuple(names[i] for i in rng.integers(len(names), size=NUM_CELLS))
    ground = tuple(int(v) for v in rng.integers(*BACKGROUND, size=3))
    image = Image.new("RGB", (IMAGE_PIXELS, IMAGE_PIXELS), ground)
    canvas = ImageDraw.Draw(image)
    for cell, colour in enumerate(colours):
        row, column = divmod(cell, 2)
        _draw_shape(canvas, rng, colour, (column * CELL_PIXELS, row * CELL_PIXELS))
    return Picture(image, colours)


def draw_response(rng: np.random.Generator, colours: tuple[str, ...], *, ramble: bool) -> str:
    """What the model should say: the boxed colours, after sixteen random words if it rambles."""
    boxed = "\\boxed{ " + " ".join(colours) + " }"
    if not ramble:
        return boxed
    words = " ".join(WORDS[i] for i in rng.integers(len(WORDS), size=NUM_WORDS))
    return f"{words} {boxed}"


def sentences() -> list[str]:
    """Text in which every word of the task occurs, to train a tokenizer on."""
    questions = [QUESTION, SHORT_QUESTION]
    boxed = ["\\boxed{ " + " ".join([name] * NUM_CELLS) + " }" for name in COLOURS]
    talk = [f"{word} {word} \\boxed{{ }}" for word in WORDS]
    # Words that open a line have no blank before them and are other tokens.
    return [*questions, *boxed, *talk, "system\nuser\nassistant\n"] * 4


def _draw_shape(
    canvas: ImageDraw.ImageDraw,
    rng: np.random.Generator,
    colour: str,
    corner: tuple[int, int],
) -> None:
    radius = float(rng.uniform(*RADIUS))
    x, y = (corner[i] + float(rng.uniform(radius + 1, CELL_PIXELS - radius - 1)) for i in range(2))
    jitter = rng.integers(-COLOUR_JITTER, COLOUR_JITTER + 1, size=3)
    fill = tuple(int(np.clip(c + j, 0, 255)) for c, j in zip(COLOURS[colour], jitter, strict=True))
    box = (x - radius, y - radius, x + radius, y + radius)
    match SHAPES[int(rng.integers(len(SHAPES)))]:
        case "circle":
            canvas.ellipse(box, fill=fill)
        case "square":
            canvas.rectangle(box, fill=fill)
        case "triangle":
            canvas.polygon(
                [(x, y - radius), (x + radius, y + radius), (x - radius, y + radius)], fill
            )
        case _:
            canvas.polygon(
                [(x, y - radius), (x + radius, y), (x, y + radius), (x - radius, y)], fill
            )
