"""Made-up answers beside drawn pictures, in the shape that the driver writes."""

import base64
import io
import random
from typing import Any

from PIL import Image, ImageDraw

SIZE = 168
PATCH = 28
COLOURS = ("#d64545", "#3d7dca", "#3aa76d", "#e0b13a", "#8a5cc2", "#e57fb0")
PROBLEM = (
    "In the figure, triangle ABC has a right angle at C. AC = {a} and BC = {b}. How long is AB?"
)
ANSWER = (
    "<think>|\n|The| picture| shows| a| right| triangle|.| The| legs| are| marked| {a}| and| {b}|.|"
    " By| Pythagoras|,| the| hyp|otenuse| is| the| square| root| of| {a}|²| +| {b}|²|,| so| AB| =|"
    " {c}|.| Let| me| check|:| {c}|²| =| {a}|²| +| {b}|²|,| which| agrees| with| the| figure|.|\n|"
    "</think>|\n|The| answer| is| \\|boxed|{{|{c}|}}|.|<|im_end|>"
)
SEEN = ("picture", "right", "triangle", "legs", "figure", "marked")
TRIPLES = ((3, 4, 5), (5, 12, 13), (8, 15, 17), (7, 24, 25))


def picture(seed: int, *, is_masked: bool) -> str:
    """A triangle on a tinted ground as base64 PNG; the masked one lacks half of its patches."""
    rng = random.Random(seed)
    image = Image.new("RGB", (SIZE, SIZE), "#f6f2e8")
    draw = ImageDraw.Draw(image)
    left, right = rng.randint(18, 40), rng.randint(120, 150)
    top, bottom = rng.randint(20, 50), rng.randint(120, 150)
    draw.polygon([(left, bottom), (right, bottom), (left, top)], fill=COLOURS[seed % 6])
    draw.rectangle((left, bottom - 12, left + 12, bottom), outline="#222", width=2)
    draw.text((left - 12, (top + bottom) // 2), "a", fill="#222")
    draw.text(((left + right) // 2, bottom + 4), "b", fill="#222")
    if is_masked:
        for column in range(0, SIZE, PATCH):
            for row in range(0, SIZE, PATCH):
                if rng.random() < 0.5:
                    draw.rectangle((column, row, column + PATCH, row + PATCH), fill="#000")
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def sample(step: int, index: int) -> dict[str, Any]:
    """One answer; later steps look more at the picture, every second answer is wrong."""
    rng = random.Random(step * 100 + index)
    a, b, c = TRIPLES[index // 2 % len(TRIPLES)]
    is_right = index % 2 == 0
    text = ANSWER.format(a=a, b=b, c=c if is_right else a + b)
    tokens = text.replace("<|im_end|>", "\0").split("|")
    tokens = [token.replace("\0", "<|im_end|>") for token in tokens]
    lift = 0.3 + step / 80
    dependency = [_nats(token, rng) * lift for token in tokens]
    border = sorted(dependency, reverse=True)[int(len(tokens) * 0.4)]
    mean = sum(dependency) / len(dependency)
    return {
        "problem": PROBLEM.format(a=a, b=b),
        "reference": str(c),
        "tokens": tokens,
        "dependency": dependency,
        "kept": [nats > border for nats in dependency],
        "reward": 1.0 if is_right else 0.1,
        "advantage": (0.87 if is_right else -1.15) * rng.uniform(0.8, 1.2),
        "shapingWeight": rng.uniform(0.9, 1.12),
        "trajectoryDependency": mean,
        "imagePng": picture(index // 2, is_masked=False),
        "maskedPng": picture(index // 2, is_masked=True),
    }


def answers(step: int) -> dict[str, Any]:
    """The answers of a step."""
    return {"step": step, "attempt": 2, "samples": [sample(step, index) for index in range(8)]}


def _nats(token: str, rng: random.Random) -> float:
    word = token.strip()
    if word in SEEN:
        return rng.lognormvariate(0.3, 0.6)
    if word.isdigit():
        return rng.lognormvariate(-0.6, 0.9)
    return rng.lognormvariate(-6.0, 1.6)
