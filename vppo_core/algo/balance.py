"""Rows dealt into parts of equal row counts and similar token counts."""

import heapq
from dataclasses import dataclass, field


@dataclass(slots=True)
class _Part:
    load: int = 0
    rows: list[int] = field(default_factory=list)

    def key(self) -> tuple[int, int, list[int]]:
        return self.load, len(self.rows), self.rows


@dataclass(slots=True)
class _Deal:
    """A partial deal of rows to all devices, heaviest device first."""

    parts: list[_Part]

    def __post_init__(self) -> None:
        self.parts.sort(key=_Part.key, reverse=True)

    @property
    def spread(self) -> int:
        return self.parts[0].load - self.parts[-1].load

    def __lt__(self, other: "_Deal") -> bool:
        if self.spread != other.spread:
            return self.spread > other.spread
        return self.parts[0].key() > other.parts[0].key()


def balanced_parts(lengths: list[int], num_parts: int) -> list[list[int]]:
    """Rows dealt into parts of equal row counts and similar token counts, ascending in each.

    Karmarkar-Karp differencing over blocks of `num_parts` rows of similar length. When the count
    does not divide, parts differ by one row.
    """
    order = sorted(range(len(lengths)), key=lambda row: (lengths[row], row))
    blocks = [order[start : start + num_parts] for start in range(0, len(order), num_parts)]
    heap = [_deal_block(block, lengths, num_parts) for block in blocks]
    if not heap:
        return [[] for _ in range(num_parts)]
    heapq.heapify(heap)
    while len(heap) > 1:
        one, two = heapq.heappop(heap), heapq.heappop(heap)
        pairs = zip(one.parts, reversed(two.parts), strict=True)
        merged = [_Part(a.load + b.load, a.rows + b.rows) for a, b in pairs]
        heapq.heappush(heap, _Deal(merged))
    return [sorted(part.rows) for part in heap[0].parts]


def _deal_block(block: list[int], lengths: list[int], num_parts: int) -> _Deal:
    parts = [_Part(lengths[row], [row]) for row in block]
    return _Deal(parts + [_Part() for _ in range(num_parts - len(block))])
