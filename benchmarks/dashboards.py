"""Dashboards: how long Prometheus takes for all panels over a day of many jobs."""

import json
import re
import shutil
import statistics
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.dashboard_day import Day, write_day
from benchmarks.tables import Result, on_the_wire
from tests.dashboards.live.prometheus import Prometheus, prometheus
from vppo_core.errors import VPPOError

CHART = Path(__file__).parents[1] / "charts" / "vppo"
PIXELS = 1000
"""Points of a curve that Grafana asks for, about."""

LONGEST_PANEL_SECONDS = 2.0
DASHBOARD_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class DashboardsOptions:
    """What is generated, and how often each panel is asked."""

    jobs: int = 50
    job_hours: float = 4.0  # jobs begin evenly over the day
    scrape_seconds: int = 60
    repeats: int = 3


def run(options: DashboardsOptions) -> tuple[dict[str, Any], list[Result]]:
    """Report and lines of the table.

    Raises:
        VPPOError: Prometheus is not installed.
    """
    if shutil.which("promtool") is None or shutil.which("prometheus") is None:
        raise VPPOError("prometheus and promtool must be on PATH; apt-get install prometheus")
    with TemporaryDirectory(prefix="vppo-day-") as name:
        folder = Path(name)
        day = _fill(folder, options)
        with prometheus(folder) as server:
            series = _count(server, day)
            spans = {"day": 86_400.0, "threeHours": 10_800.0}
            measured = {
                span: _measure(server, day.end, seconds, options) for span, seconds in spans.items()
            }
    report = {
        "options": on_the_wire(options),
        "samples": day.samples,
        "seriesOfTheDay": series,
        "seriesOfAJob": day.series_of_a_job,
        "spans": measured,
    }
    return report, _results(measured)


def _fill(folder: Path, options: DashboardsOptions) -> Day:
    text = folder / "day.txt"
    day = write_day(
        text,
        jobs=options.jobs,
        job_seconds=int(options.job_hours * 3600),
        scrape_seconds=options.scrape_seconds,
        end=int(time.time()) // 60 * 60,
    )
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "-q"]
    subprocess.run([*command, str(text), str(folder / "data")], check=True)
    text.unlink()
    return day


def _count(server: Prometheus, day: Day) -> int:
    text = 'count(last_over_time({__name__=~".+"}[1d]))'
    (found,) = server.ask("query", query=text, time=day.end)["result"]
    return int(found["value"][1])


def _panels(last_job: str) -> Iterator[tuple[str, str, list[str]]]:
    """Dashboard, panel and expressions: of all jobs, or of the last on the page of one."""
    for path in sorted(CHART.glob("dashboards/*.json")):
        dashboard = json.loads(path.read_text())
        for panel in dashboard["panels"]:
            if panel.get("targets"):
                texts = [target["expr"] for target in panel["targets"]]
                if path.stem == "job":
                    texts = [text.replace("$job_name", last_job) for text in texts]
                yield dashboard["title"], panel["title"], texts


def _measure(
    server: Prometheus, end: int, seconds: float, options: DashboardsOptions
) -> dict[str, Any]:
    """Seconds of each panel: all its queries, one after another, median of the repeats."""
    step = max(seconds / PIXELS, 15.0)
    window = f"{int(max(step + options.scrape_seconds, 4 * options.scrape_seconds))}s"
    found: dict[str, dict[str, float]] = {}
    series: Counter[str] = Counter()
    for dashboard, panel, texts in _panels(f"job-{options.jobs - 1}"):
        times: list[float] = []
        for _ in range(options.repeats):
            began = time.perf_counter()
            for text in texts:
                query = _ready(text, window, f"{int(seconds)}s")
                answer = server.ask(
                    "query_range", query=query, start=end - seconds, end=end, step=step
                )
                series[dashboard] += len(answer["result"]) if not times else 0
            times.append(time.perf_counter() - began)
        found.setdefault(dashboard, {})[panel] = statistics.median(times)
    return {
        dashboard: {
            "panels": len(panels),
            "series": series[dashboard],
            "seconds": sum(panels.values()),
            "slowestPanel": max(panels, key=lambda name: panels[name]),
            "slowestSeconds": max(panels.values()),
            "medianSeconds": statistics.median(panels.values()),
        }
        for dashboard, panels in found.items()
    }


def _ready(text: str, window: str, whole: str) -> str:
    text = text.replace("$__rate_interval", window).replace("$__range", whole)
    return re.sub(r"\$[a-z_]+", ".+", text)


def _results(measured: dict[str, Any]) -> list[Result]:
    lines = []
    for span, dashboards in measured.items():
        slowest = max(one["slowestSeconds"] for one in dashboards.values())
        whole = max(one["seconds"] for one in dashboards.values())
        lines += [
            Result(f"slowest panel, {span}", slowest, "s", LONGEST_PANEL_SECONDS),
            Result(f"slowest dashboard, {span}", whole, "s", DASHBOARD_SECONDS),
        ]
    return lines
