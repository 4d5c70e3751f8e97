"""A curve in one line of text."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

BLOCKS: Final = "▁▂▃▄▅▆▇█"
ASCII_BLOCKS: Final = "_.-~=+*#"


def sparkline(values: Sequence[float | None], width: int, *, blocks: str = BLOCKS) -> str:
    """The values as bars from their least to their greatest, at most `width` characters.

    More values than characters are averaged in equal runs; what is not finite leaves a blank. Equal
    values stand in the middle.
    """
    means = [_mean(part) for part in _runs(values, width)]
    known = [mean for mean in means if mean is not None]
    if not known:
        return " " * len(means)
    low, high = min(known), max(known)
    return "".join(" " if mean is None else _bar(mean, low, high, blocks) for mean in means)


def _runs(values: Sequence[float | None], width: int) -> list[Sequence[float | None]]:
    count = min(len(values), max(width, 1))
    edges = [round(index * len(values) / count) for index in range(count + 1)] if count else [0]
    return [values[start:end] for start, end in pairwise(edges)]


def _mean(part: Sequence[float | None]) -> float | None:
    known = [value for value in part if value is not None and math.isfinite(value)]
    return sum(known) / len(known) if known else None


def _bar(value: float, low: float, high: float, blocks: str) -> str:
    if high <= low:
        return blocks[len(blocks) // 2 - 1]
    share = (value - low) / (high - low)
    return blocks[min(int(share * len(blocks)), len(blocks) - 1)]
