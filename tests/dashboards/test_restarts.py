"""A counter that begins again at 0, with its process or with a new attempt, is no negative rate."""

from pathlib import Path

import pytest

from tests.dashboards.promtool import needs_promtool, nothing, number, run_tests, world
from tests.dashboards.reading import known_series, plain, selectors
from vppo_core.catalogue import EVERY, Kind, Page
from vppo_core.dashboards import DASHBOARDS
from vppo_core.dashboards.foreign import FOREIGN

MACROS = {"$__rate_interval": "4m", "$__range": "1h"}
_TARGET = 'job="j",instance="i",namespace="n",job_namespace="n",job_name="a",attempt="{}"'
_OWN = {"le": "1", "route": "/jobs", "method": "GET", "status": "200"}
# One process that is restarted, and one that ends while its successor begins from 0.
_RESTART = "0+5x10 0+5x30"
_ENDS, _FOLLOWS = "0+5x10 _x30", "_x12 0+5x30"


def _rates() -> list[tuple[str, str]]:
    return [
        (f"{dashboard.uid}: {panel.title}", plain(query.expression, MACROS))
        for dashboard in DASHBOARDS
        for panel in dashboard.panels()
        for query in panel.queries
        if "rate(" in query.expression or "increase(" in query.expression
    ]


def _labels(name: str) -> dict[str, str]:
    for entry in EVERY.values():
        if name.startswith(entry.series):
            labels = [label for label in entry.labels if label not in ("job_namespace", "job_name")]
            own = {label: _OWN.get(label, "x") for label in labels}
            return own | ({"le": "1"} if name.endswith("_bucket") else {})
    foreign = next(one for key, one in FOREIGN.items() if name.startswith(key))
    own = {label: "x" for label in foreign.labels if label != "namespace"}
    return own | ({"le": "1"} if name.endswith("_bucket") else {})


def _counters() -> dict[str, str]:
    """Every counter that a panel looks at, with a restart and with a successor."""
    kinds = known_series()
    names = {one.name for _, text in _rates() for one in selectors(text)}
    found = {}
    for name in sorted(one for one in names if kinds[one] is Kind.COUNTER):
        own = "".join(f',{label}="{value}"' for label, value in _labels(name).items())
        for attempt, values in (("1", _RESTART), ("2", _ENDS), ("3", _FOLLOWS)):
            found[f"{name}{{{_TARGET.format(attempt)}{own}}}"] = values
    return found


@needs_promtool
def test_no_panel_shows_a_negative_rate(tmp_path: Path) -> None:
    asked = [
        nothing(f"({text}) < 0", at) for _, text in _rates() for at in ("12m", "13m", "14m", "20m")
    ]
    assert len(asked) > 150
    run_tests(tmp_path, None, [world(_counters(), asked)])


@needs_promtool
def test_a_difference_that_is_no_rate_would_be_negative(tmp_path: Path) -> None:
    name = EVERY["tokens_generated"].series
    text = f"count(delta({name}[4m]) < 0)"
    run_tests(tmp_path, None, [world(_counters(), [number(text, "12m", 1)])])


@needs_promtool
@pytest.mark.parametrize("key", ["tokens_generated", "samples_trained"])
def test_a_restarted_process_adds_what_it_counted(key: str, tmp_path: Path) -> None:
    assert EVERY[key].page is Page.RUN
    series = {EVERY[key].series: "0+5x10 0+5x10"}
    text = f"sum(rate({EVERY[key].series}[20m])) * 1200 > bool 90"
    run_tests(tmp_path, None, [world(series, [number(text, "21m", 1)])])
