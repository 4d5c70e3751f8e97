"""`report.html`: one page, self-contained, that shows what a run learned and what it looked at."""

import base64
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from vppo_core.redact import redact
from vppo_core.runs.writing import write_atomically
from vppo_services.observability.charts import Chart, Evaluation, Histogram, Steps, charts

_FAINTEST_NATS: Final = 0.001
_STRONGEST_NATS: Final = 0.1  # top of the colour scale, unless the answers go higher
_SMALL_PIXELS: Final = 150  # narrower images are enlarged with hard edges
_FIELDS: Final = (
    ("Model", "model.source"),
    ("Data", "data.source"),
    ("Held-out data", "data.validationSource"),
    ("Seed", "seed"),
    ("Rollout engine", "rollout.engine"),
    ("Answers per prompt", "rollout.groupSize"),
    ("Prompts per step", "rollout.promptsPerStep"),
    ("Longest answer", "rollout.maxResponseTokens"),
    ("Temperature", "rollout.temperature"),
    ("Dependency estimator", "dependency.estimator"),
    ("Masked share", "dependency.maskRatio"),
    ("Mask", "dependency.fill"),
    ("Advantage", "algorithm.advantage"),
    ("Trajectory shaping", "algorithm.shaping"),
    ("Tokens kept", "algorithm.tokenKeepRatio"),
    ("Clip", "algorithm.clipRatioLow"),
    ("Clip, upper", "algorithm.clipRatioHigh"),
    ("Penalty", "algorithm.penaltyCoef"),
    ("Steps", "learner.numSteps"),
    ("Prompts per update", "learner.promptsPerUpdate"),
    ("Learning rate", "learner.learningRate"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerSample:
    """One answer as the method sees it: each token with its dependency and its fate."""

    step: int
    problem: str
    reference: str  # the right answer
    tokens: list[str]  # texts that join to the answer
    dependency: list[float]  # nats, one for each token
    kept: list[bool]  # True where the token keeps its gradient
    reward: float
    advantage: float  # shaped
    shaping_weight: float = 1.0  # factor in the advantage
    image_png: bytes = b""  # empty for a text-only question
    masked_png: bytes = b""

    @property
    def trajectory_dependency(self) -> float:
        """Mean dependency of the answer's tokens, nats; 0 for an empty one."""
        return sum(self.dependency) / max(len(self.dependency), 1)


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    percent: int  # of the strongest shade
    is_kept: bool
    title: str


def write_report(
    path: Path,
    *,
    job: Mapping[str, Any],
    steps: Steps,
    evaluations: Sequence[Evaluation],
    histograms: Sequence[Histogram],
    samples: Sequence[AnswerSample],
    summary: Mapping[str, Any],
) -> None:
    """Write the page; it needs no network and no other file.

    Args:
        job: the whole job object, camelCase.
        steps: objects of `metrics.jsonl`, see `record.read_steps`.
        evaluations: in the order of their steps.
        histograms: of token dependency, usually of the first and the last step.
        summary: `accuracyBefore`, `accuracyAfter`, `seconds`; absent ones are left out.

    Raises:
        OSError: the page cannot be written.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    figures = charts(steps, evaluations, histograms)
    strongest = _strongest(samples)
    page = environment.get_template("report.html.j2").render(
        name=job.get("metadata", {}).get("name") or "VPPO job",
        headline=_headline(summary),
        facts=list(_facts(steps, evaluations, summary)),
        charts=figures,
        figures=_script_json(figures),
        plotly=Markup(get_plotlyjs()),
        samples=[_card(sample, strongest) for sample in samples],
        faintest=_number(_FAINTEST_NATS),
        strongest=_number(strongest),
        fields=list(_fields(job.get("spec", {}))),
    )
    write_atomically(path, page)


def _headline(summary: Mapping[str, Any]) -> dict[str, str] | None:
    before, after = summary.get("accuracyBefore"), summary.get("accuracyAfter")
    if before is None or after is None:
        return None
    gain = 100.0 * (after - before)
    sign = "+" if gain >= 0 else "−"
    return {
        "before": f"{100 * before:.0f} %",
        "after": f"{100 * after:.0f} %",
        "gain": f"{sign}{abs(gain):.0f} points",
    }


def _facts(
    steps: Steps, evaluations: Sequence[Evaluation], summary: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    if steps:
        yield "steps", str(max(step["step"] for step in steps))
    if summary.get("seconds") is not None:
        yield "wall time", _duration(float(summary["seconds"]))
    if evaluations:
        yield "held-out answers", f"{evaluations[-1].answers:,}"
    for label, key, unit in (
        ("token dependency", "token_dependency_mean", " nats"),
        ("answer length", "response_tokens_mean", " tokens"),
    ):
        values = [step[key] for step in steps if step.get(key) is not None]
        if values:
            yield label, f"{_number(values[0])} → {_number(values[-1])}{unit}"


def _fields(spec: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for label, dotted in _FIELDS:
        value: Any = spec
        for part in dotted.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        if value not in (None, ""):
            yield label, f"spec.{dotted}", redact(str(value))


def _card(sample: AnswerSample, strongest: float) -> dict[str, Any]:
    return {
        "step": sample.step,
        "problem": sample.problem.replace("<image>", "").strip(),
        "reference": sample.reference,
        "image": _data_uri(sample.image_png),
        "masked": _data_uri(sample.masked_png),
        "is_small": _png_width(sample.image_png) < _SMALL_PIXELS,
        "tokens": [
            _Token(
                text=text,
                percent=_shade(nats, strongest),
                is_kept=kept,
                title=f"{_number(nats)} nats, {'kept' if kept else 'dropped'}",
            )
            for text, nats, kept in zip(sample.tokens, sample.dependency, sample.kept, strict=True)
        ],
        "reward": _number(sample.reward),
        "is_rewarded": sample.reward > 0.0,
        "advantage": f"{sample.advantage:+.2f}".replace("-", "−"),
        "dependency": _number(sample.trajectory_dependency),
        "num_kept": sum(sample.kept),
    }


def _strongest(samples: Sequence[AnswerSample]) -> float:
    """One colour scale for all answers, so that they can be compared."""
    return max([_STRONGEST_NATS, *(nats for sample in samples for nats in sample.dependency)])


def _shade(nats: float, strongest: float) -> int:
    if nats <= _FAINTEST_NATS:
        return 0
    share = math.log(nats / _FAINTEST_NATS) / math.log(strongest / _FAINTEST_NATS)
    return round(100 * min(share, 1.0))


def _data_uri(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}" if png else ""


def _png_width(png: bytes) -> int:
    return int.from_bytes(png[16:20], "big")  # of the header chunk, which is always the first


def _script_json(figures: Sequence[Chart]) -> Markup:
    """Figures as JSON that cannot end the script element it stands in."""
    plain = [{"id": f.id, "data": f.data, "layout": f.layout} for f in figures]
    text = json.dumps(plain, allow_nan=False)
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def _number(value: float) -> str:
    if value == 0.0 or 0.001 <= abs(value) < 10_000:
        text = f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
    else:
        text = f"{value:.1e}"
    return text.replace("-", "−")


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
