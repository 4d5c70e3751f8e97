"""A real Prometheus reads a real job: no panel, variable, mark or alert is without series."""

import shutil
from pathlib import Path

import pytest

from tests.dashboards.live.check import check
from tests.dashboards.live.report import report

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        shutil.which("prometheus") is None,
        reason="prometheus is not on PATH: apt-get install prometheus",
    ),
]


def test_every_panel_and_every_alert_finds_its_series(tmp_path: Path) -> None:
    found = check(tmp_path, say=lambda _: None)
    assert found.is_good, report(found)
