"""The metrics of one step, checked against the catalogue, and their file `metrics.jsonl`."""

import gzip
import json
import math
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any, Self

from vppo_core.catalogue import parse
from vppo_core.runs.writing import write_atomically


@dataclass(frozen=True, slots=True)
class StepRecord:
    """Finite values of one step by catalogue reference, and the references that were not finite."""

    step: int
    time_seconds: float  # since the epoch; the identity of the record in MLflow
    values: dict[str, float]
    nonfinite: tuple[str, ...]

    @classmethod
    def of(cls, step: int, values: Mapping[str, float], *, now: float) -> Self:
        """Check and sort out the values of a step.

        Args:
            values: by catalogue reference, `reward_mean` or `stage_seconds{sample}`.
            now: seconds since the epoch.

        Raises:
            LookupError: a reference that the catalogue does not know.
        """
        finite: dict[str, float] = {}
        nonfinite: list[str] = []
        for reference, raw in values.items():
            parse(reference)
            value = float(raw)
            if math.isfinite(value):
                finite[reference] = value
            else:
                nonfinite.append(reference)
        return cls(step, now, finite, tuple(nonfinite))

    def as_json(self) -> dict[str, Any]:
        """Flat object of `metrics.jsonl`; a value that was not finite is null."""
        nulls = dict.fromkeys(self.nonfinite)
        return {**self.values, **nulls, "step": self.step, "time": round(self.time_seconds, 3)}


def read_steps(path: Path) -> list[dict[str, Any]]:
    """Objects of a `metrics.jsonl`, one a step in order; lines of the same step are merged.

    A torn last line, as a kill in the middle of a write leaves it, is skipped.
    """
    steps: dict[int, dict[str, Any]] = {}
    for line in _lines(path):
        steps.setdefault(line["step"], {}).update(line)
    return [steps[step] for step in sorted(steps)]


def cut_steps(path: Path, *, last_step: int) -> None:
    """Remove the lines of steps above `last_step`, and a torn one; atomic."""
    if not path.exists():
        return
    write_atomically(path, _text(line for line in _lines(path) if line["step"] <= last_step))


def history(path: Path, *, last_step: int) -> bytes:
    """The lines of a `metrics.jsonl` up to `last_step`, compressed, to lie beside a checkpoint."""
    return gzip.compress(_text(line for line in _lines(path) if line["step"] <= last_step).encode())


def restore_history(path: Path, compressed: bytes) -> int:
    """Put what `history` gave back into `path`: its steps as it has them, all others as they are.

    Returns:
        How many steps the file had no line of.

    Raises:
        OSError: the file cannot be replaced, or `compressed` is damaged; the old file stands.
    """
    try:
        saved = _parsed(gzip.decompress(compressed).decode(errors="replace"))
    except (EOFError, zlib.error) as error:
        raise OSError(f"the history is cut short or damaged: {error}") from error
    present = _lines(path)
    steps = {line["step"] for line in saved}
    lines = saved + [line for line in present if line["step"] not in steps]
    lines.sort(key=itemgetter("step"))
    if lines != present:
        write_atomically(path, _text(lines))
    return len(steps - {line["step"] for line in present})


def _text(lines: Iterable[Mapping[str, Any]]) -> str:
    return "".join(json.dumps(line) + "\n" for line in lines)


def _lines(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    return _parsed(path.read_text(encoding="utf-8", errors="replace"))


def _parsed(content: str) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    for text in content.splitlines():
        try:
            line = json.loads(text)
        except json.JSONDecodeError:
            continue
        if isinstance(line, dict) and isinstance(line.get("step"), int):
            lines.append(line)
    return lines
