"""Arithmetic of the reports, and the table that is printed at the end."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from vppo_core.catalogue import STAGES, labelled

Steps = Sequence[Mapping[str, float]]
FLOAT32_BYTES = 4
VIEWS = 2  # the clean and the masked image


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the table."""

    measure: str
    value: float
    unit: str  # "share" is shown in per cent
    at_most: float | None = None

    @property
    def is_met(self) -> bool | None:
        """Whether the goal is met; None where there is none."""
        return None if self.at_most is None else self.value <= self.at_most

    def as_json(self) -> dict[str, Any]:
        """The line as a report holds it."""
        return {
            "measure": self.measure,
            "value": self.value,
            "unit": self.unit,
            "goal": self.at_most,
            "isMet": self.is_met,
        }


def on_the_wire(options: Any) -> dict[str, Any]:
    """The fields of a dataclass under camelCase names."""
    return {
        head + "".join(map(str.title, rest)): value
        for (head, *rest), value in ((key.split("_"), v) for key, v in asdict(options).items())
    }


def warm(steps: Steps) -> Steps:
    """Steps without the first, in which caches fill; the first alone if there is no other."""
    return steps[1:] or steps


def median_of(steps: Steps, key: str) -> float:
    """Median of a value over the warm steps; a step without it counts as 0."""
    return statistics.median(step.get(key, 0.0) for step in warm(steps))


def median_share(steps: Steps, key: str) -> float:
    """Median over the warm steps of a time's share of its own step."""
    return statistics.median(step.get(key, 0.0) / step["step_seconds"] for step in warm(steps))


def stage_medians(steps: Steps) -> dict[str, dict[str, float]]:
    """Seconds and share of every stage that took time, and of what is in none as `other`."""
    keys = {name: labelled("stage_seconds", name) for name in STAGES}
    rows = [{**step, "other": _unstaged(step, keys.values())} for step in warm(steps)]
    keys["other"] = "other"
    return {
        name: {
            "seconds": statistics.median(row.get(key, 0.0) for row in rows),
            "share": statistics.median(row.get(key, 0.0) / row["step_seconds"] for row in rows),
        }
        for name, key in keys.items()
        if any(row.get(key) for row in rows)
    }


def naive_pixel_bytes(grids: npt.NDArray[np.int32], features: int, rollouts: int) -> int:
    """Bytes if every rollout carried float32 `pixel_values` of its clean and its masked images.

    Args:
        grids: [I, 3] patches of each image as (t, h, w).
        features: numbers of one patch.
        rollouts: answers to each prompt.
    """
    rows = int(grids.astype(np.int64).prod(axis=1).sum())
    return rows * features * FLOAT32_BYTES * rollouts * VIEWS


def table(results: Mapping[str, Sequence[Result]]) -> str:
    """Lines of `benchmark  measure  result  goal  met`, aligned."""
    rows = [("benchmark", "measure", "result", "goal", "met")]
    for benchmark, lines in results.items():
        rows += [(benchmark, *_cells(line)) for line in lines]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _cells(line: Result) -> tuple[str, str, str, str]:
    goal = "" if line.at_most is None else f"<= {_shown(line.at_most, line.unit)}"
    met = {None: "", True: "yes", False: "NO"}[line.is_met]
    return line.measure, _shown(line.value, line.unit), goal, met


def _shown(value: float, unit: str) -> str:
    if unit == "share":
        return f"{100 * value:.3g} %"
    return f"{value:.3g} {unit}" if value < 1000 else f"{value:,.0f} {unit}"


def _unstaged(step: Mapping[str, float], keys: Any) -> float:
    return step["step_seconds"] - sum(step.get(key, 0.0) for key in keys)
