"""Figures of the report as plain data for plotly.js: curves, stage times, dependency histogram.

Colours are written `@name`; the page replaces them with those of its light or dark theme.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vppo_core.catalogue import STAGES, labelled

_SMALLEST_NATS: Final = 1e-6
_LARGEST_NATS: Final = 10.0
_BINS_PER_DECADE: Final = 5

Steps = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Accuracy on held-out questions after `step` updates."""

    step: int
    accuracy: float
    answers: int  # how many were graded; makes the interval

    @property
    def half_width(self) -> float:
        """Half of the 95 % interval of the accuracy (normal approximation)."""
        if not self.answers:
            return 0.0
        return 1.96 * math.sqrt(self.accuracy * (1.0 - self.accuracy) / self.answers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """Token dependency of one step, in bins of equal width on a log axis."""

    label: str
    edges: tuple[float, ...]  # nats
    shares: tuple[float, ...]  # of all tokens, one for each bin
    below: float  # share of tokens under the first edge

    @classmethod
    def of(cls, token_dependency: npt.ArrayLike, *, label: str) -> "Histogram":
        """Bins from 1e-6 to 10 nats, five a decade; larger values are in the last bin."""
        values = np.asarray(token_dependency, dtype=np.float64).ravel()
        decades = math.log10(_LARGEST_NATS / _SMALLEST_NATS)
        edges = np.geomspace(_SMALLEST_NATS, _LARGEST_NATS, round(decades * _BINS_PER_DECADE) + 1)
        counts, _ = np.histogram(np.minimum(values, _LARGEST_NATS * (1 - 1e-9)), bins=edges)
        total = max(len(values), 1)
        return cls(
            label=label,
            edges=tuple(float(edge) for edge in edges),
            shares=tuple(float(count) / total for count in counts),
            below=float(np.sum(values < _SMALLEST_NATS)) / total,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One figure: traces and layout for plotly.js, and what it says in words."""

    id: str
    title: str
    caption: str
    data: list[dict[str, Any]]
    layout: dict[str, Any]
    is_wide: bool = False


def charts(
    steps: Steps, evaluations: Sequence[Evaluation], histograms: Sequence[Histogram]
) -> list[Chart]:
    """The figures that have data, in the order of the page."""
    made = [
        _accuracy(steps, evaluations),
        _dependency(steps),
        _length(steps),
        _stages(steps),
        _histogram(histograms),
    ]
    return [chart for chart in made if chart.data]


def _accuracy(steps: Steps, evaluations: Sequence[Evaluation]) -> Chart:
    data = [
        *_curve(steps, "accuracy_mean", "training accuracy", "@c1"),
        *_curve(steps, "reward_mean", "training reward", "@c4", dash="dot"),
    ]
    if evaluations:
        data.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": "held-out accuracy",
                "x": [point.step for point in evaluations],
                "y": [point.accuracy for point in evaluations],
                "error_y": {
                    "array": [point.half_width for point in evaluations],
                    "thickness": 1,
                    "width": 3,
                },
                "line": {"color": "@c2", "width": 2},
                "marker": {"size": 8},
            }
        )
    return Chart(
        id="accuracy",
        title="Accuracy and reward",
        caption="Training: all sampled answers of a step. Held out: bars are 95 % intervals.",
        data=data,
        layout={"yaxis": {"rangemode": "tozero", "tickformat": ".2~f"}},
    )


def _dependency(steps: Steps) -> Chart:
    return Chart(
        id="dependency",
        title="Token dependency on the image",
        caption="Nats per response token; near zero means that the image is ignored.",
        data=[
            *_curve(steps, "token_dependency_mean", "mean", "@c1"),
            *_curve(steps, "token_dependency_p90", "90th percentile", "@c4", dash="dot"),
        ],
        layout={"yaxis": {"rangemode": "tozero"}},
    )


def _length(steps: Steps) -> Chart:
    return Chart(
        id="length",
        title="Response length",
        caption="Tokens per sampled answer.",
        data=[
            *_curve(steps, "response_tokens_mean", "mean", "@c1"),
            *_curve(steps, "response_tokens_max", "longest", "@c4", dash="dot"),
        ],
        layout={"yaxis": {"rangemode": "tozero"}},
    )


def _stages(steps: Steps) -> Chart:
    data = []
    for index, stage in enumerate(STAGES):
        x, y = _series(steps, labelled("stage_seconds", stage))
        if any(y):
            data.append(
                {
                    "type": "bar",
                    "name": stage,
                    "x": x,
                    "y": y,
                    "marker": {"color": f"@c{index + 1}", "line": {"width": 0}},
                }
            )
    return Chart(
        id="stages",
        title="Time in each stage",
        caption="Seconds per step; stages that overlap count in full.",
        data=data,
        layout={"barmode": "stack", "bargap": 0.15, "legend": {"traceorder": "normal"}},
    )


def _histogram(histograms: Sequence[Histogram]) -> Chart:
    data = []
    for index, histogram in enumerate(histograms):
        data.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": f"{histogram.label} ({histogram.below:.0%} below 1e-6)",
                "x": list(histogram.edges),
                "y": [*histogram.shares, 0.0],
                "fill": "tozeroy",
                "fillcolor": f"@f{index % 2 + 1}",
                "line": {"shape": "hv", "width": 1.5, "color": f"@c{index % 2 + 1}"},
                "hovertemplate": "from %{x:.2g} nats: %{y:.1%}",
            }
        )
    return Chart(
        id="histogram",
        title="Distribution of token dependency",
        caption="Share of response tokens by dependency, in nats on a log axis.",
        data=data,
        layout={
            "xaxis": {"type": "log", "title": {"text": "nats"}, "exponentformat": "power"},
            "yaxis": {"tickformat": ".0%", "rangemode": "tozero"},
        },
        is_wide=True,
    )


def _curve(
    steps: Steps, reference: str, name: str, color: str, *, dash: str = "solid"
) -> list[dict[str, Any]]:
    x, y = _series(steps, reference)
    if not x:
        return []
    return [
        {
            "type": "scatter",
            "mode": "lines" if len(x) > 1 else "markers",
            "name": name,
            "x": x,
            "y": y,
            "line": {"color": color, "width": 2, "dash": dash},
        }
    ]


def _series(steps: Steps, reference: str) -> tuple[list[int], list[float]]:
    points = [(s["step"], s[reference]) for s in steps if s.get(reference) is not None]
    return [step for step, _ in points], [float(value) for _, value in points]
