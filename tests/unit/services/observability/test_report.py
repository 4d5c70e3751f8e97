import io
import json
import math
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from vppo_services.observability.charts import Evaluation, Histogram, charts
from vppo_services.observability.report import AnswerSample, write_report

HOSTILE = "<script>alert('x')</script> & \"quotes\""
JOB = {
    "metadata": {"name": "demo"},
    "spec": {
        "seed": 0,
        "model": {"source": "https://me:pa55@host/model"},
        "algorithm": {"tokenKeepRatio": 0.4},
    },
}
STEPS = [
    {
        "step": step,
        "time": 0.0,
        "accuracy_mean": 0.5 + step / 20,
        "token_dependency_mean": 0.01 * step,
        "response_tokens_mean": 20.0,
        "stage_seconds{sample}": 2.0,
        "stage_seconds{update}": 1.0,
        "grad_norm": None,
    }
    for step in range(1, 5)
]


class Page(HTMLParser):
    """What a browser would build: elements by class, texts, scripts and addresses."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tokens: list[tuple[str, int, str]] = []
        self.addresses: list[str] = []
        self.texts: list[str] = []
        self.scripts: list[str] = []
        self._within = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self._within = tag
        self.addresses += [found[name] for name in ("src", "href") if name in found]
        if "title" in found:
            shade = int(found["style"].removeprefix("--d:"))
            self.tokens.append((found["class"], shade, found["title"]))

    def handle_data(self, data: str) -> None:
        (self.scripts if self._within == "script" else self.texts).append(data)


def png(side: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (side, side), (200, 30, 30)).save(file, "PNG")
    return file.getvalue()


def sample(**changes: object) -> AnswerSample:
    fields: dict[str, object] = {
        "step": 4,
        "problem": f"<image>What is it? {HOSTILE}",
        "reference": "red",
        "tokens": ["It", " is", " red", HOSTILE],
        "dependency": [0.0, 0.01, 2.0, 0.0005],
        "kept": [False, True, True, False],
        "reward": 1.0,
        "advantage": -0.71,
        "image_png": png(56),
        "masked_png": png(56),
    }
    return AnswerSample(**{**fields, **changes})  # type: ignore[arg-type]


def page_of(tmp_path: Path, **changes: object) -> tuple[str, Page]:
    arguments: dict[str, object] = {
        "job": JOB,
        "steps": STEPS,
        "evaluations": [Evaluation(step=0, accuracy=0.5, answers=100)],
        "histograms": [Histogram.of([0.0, 0.1], label="step 1")],
        "samples": [sample()],
        "summary": {"accuracyBefore": 0.5, "accuracyAfter": 0.75, "seconds": 3723.0},
    }
    path = tmp_path / "report.html"
    write_report(path, **{**arguments, **changes})  # type: ignore[arg-type]
    html = path.read_text(encoding="utf-8")
    return html, Page(html)


def test_the_page_needs_no_other_file_and_no_network(tmp_path: Path) -> None:
    html, page = page_of(tmp_path)
    assert page.addresses
    assert all(address.startswith("data:image/png;base64,") for address in page.addresses)
    assert "<link" not in html
    assert any("Plotly" in script and len(script) > 10**6 for script in page.scripts)


def test_the_headline_tells_the_gain(tmp_path: Path) -> None:
    _, page = page_of(tmp_path)
    text = " ".join(page.texts)
    for part in ("50 %", "75 %", "+25 points", "1 h 2 min", "0.01 → 0.04 nats"):
        assert part in text


def test_texts_of_models_and_data_cannot_become_markup(tmp_path: Path) -> None:
    html, page = page_of(tmp_path)
    assert "<script>alert" not in html
    assert "".join(page.texts).count(HOSTILE) == 2
    assert not any("alert('x')" in script for script in page.scripts)


def test_a_metric_of_a_run_cannot_end_the_script(tmp_path: Path) -> None:
    histogram = Histogram.of([0.1], label="</script><b>")
    html, _ = page_of(tmp_path, histograms=[histogram])
    assert "</script><b>" not in html


def test_tokens_are_shaded_by_dependency_and_marked_by_their_fate(tmp_path: Path) -> None:
    _, page = page_of(tmp_path)
    assert page.tokens == [
        ("t dropped", 0, "0 nats, dropped"),
        ("t kept", 30, "0.01 nats, kept"),
        ("t kept", 100, "2 nats, kept"),
        ("t dropped", 0, "5.0e−04 nats, dropped"),
    ]


def test_the_job_is_shown_without_its_secrets(tmp_path: Path) -> None:
    html, page = page_of(tmp_path)
    assert "pa55" not in html
    assert "0.4" in page.texts
    assert "spec.algorithm.tokenKeepRatio" in page.texts


def test_a_run_without_steps_evaluations_or_images_has_a_page_too(tmp_path: Path) -> None:
    html, page = page_of(
        tmp_path,
        job={},
        steps=[],
        evaluations=[],
        histograms=[],
        samples=[sample(image_png=b"", masked_png=b"")],
        summary={},
    )
    assert "VPPO job" in "".join(page.texts)
    assert page.addresses == []
    assert page.scripts == []
    assert "text-only" in html


def test_charts_hold_the_series_of_the_run() -> None:
    made = charts(
        STEPS,
        [
            Evaluation(step=0, accuracy=0.5, answers=100),
            Evaluation(step=4, accuracy=1.0, answers=100),
        ],
        [Histogram.of([0.1, 0.2], label="step 1")],
    )
    by_id = {chart.id: chart for chart in made}
    assert list(by_id) == ["accuracy", "dependency", "length", "stages", "histogram"]
    assert [trace["name"] for trace in by_id["stages"].data] == ["sample", "update"]
    held_out = by_id["accuracy"].data[-1]
    assert held_out["y"] == [0.5, 1.0]
    assert held_out["error_y"]["array"] == [pytest.approx(0.098), 0.0]
    json.dumps([chart.data for chart in made], allow_nan=False)


def test_every_colour_of_a_chart_is_defined_for_both_themes(tmp_path: Path) -> None:
    html, _ = page_of(tmp_path)
    used = set(re.findall(r'"@([a-z0-9]+)"', html.rpartition("const FIGURES")[2]))
    light, dark = html.split("@media (prefers-color-scheme: dark)")[:2]
    dark = dark.split("}")[0]
    assert {"c1", "line", "muted"} <= used
    for name in used:
        assert f"--{name}:" in light
        assert f"--{name}:" in dark


@given(st.lists(st.floats(0.0, 100.0), max_size=200))
def test_a_histogram_counts_every_token_once(values: list[float]) -> None:
    histogram = Histogram.of(values, label="")
    total = sum(histogram.shares) + histogram.below
    assert math.isclose(total, 1.0 if values else 0.0, abs_tol=1e-9)
    assert len(histogram.edges) == len(histogram.shares) + 1


def test_a_histogram_puts_a_token_into_its_bin() -> None:
    histogram = Histogram.of(np.array([[0.0, 0.02], [0.02, 50.0]]), label="")
    assert histogram.below == 0.25
    assert histogram.shares[-1] == 0.25
    bin_of_two_hundredths = np.searchsorted(histogram.edges, 0.02) - 1
    assert histogram.shares[bin_of_two_hundredths] == 0.5
