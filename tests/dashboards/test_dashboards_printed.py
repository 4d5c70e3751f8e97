"""What is committed in the chart is what the descriptions print."""

import json
from pathlib import Path

import pytest

from vppo_core.dashboards.__main__ import files, main

CHART = Path(__file__).parents[2] / "charts" / "vppo"


def test_the_committed_files_are_the_printed_ones() -> None:
    for name, text in files().items():
        assert (CHART / name).read_text() == text, f"{name}: run `make dashboards`"
    printed = {Path(name).name for name in files() if name.startswith("dashboards/")}
    assert {path.name for path in CHART.glob("dashboards/*.json")} == printed


def test_a_dashboard_that_is_no_more_is_removed(tmp_path: Path) -> None:
    (tmp_path / "dashboards").mkdir()
    (tmp_path / "dashboards" / "old.json").write_text("{}")
    main(tmp_path)
    assert not (tmp_path / "dashboards" / "old.json").exists()
    assert json.loads((tmp_path / "dashboards" / "job.json").read_text())["uid"] == "vppo-job"


@pytest.mark.parametrize("name", sorted(files()))
def test_a_file_ends_with_a_line(name: str) -> None:
    assert files()[name].endswith("\n")
