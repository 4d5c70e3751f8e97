"""The generated day has every metric, and counters that only grow."""

from pathlib import Path

import pytest

from benchmarks import dashboard_day
from benchmarks.dashboard_day import write_day
from vppo_core.catalogue import EVERY
from vppo_core.dashboards.foreign import FOREIGN


@pytest.fixture
def lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(dashboard_day, "DAY_SECONDS", 600)
    path = tmp_path / "day.txt"
    day = write_day(path, jobs=2, job_seconds=300, scrape_seconds=100, end=1_000_000)
    found = path.read_text().splitlines()
    assert day.samples == sum(not line.startswith("#") for line in found)
    assert day.series_of_a_job > len(EVERY) / 2
    return found


def test_every_metric_is_there(lines: list[str]) -> None:
    names = {line.partition("{")[0] for line in lines}
    for name in (*(entry.series for entry in EVERY.values()), *FOREIGN):
        assert names & {name, f"{name}_count"}, name
    assert lines[-1] == "# EOF"


def test_a_job_is_there_while_it_trains_and_its_counters_grow(lines: list[str]) -> None:
    name = f'{EVERY["tokens_trained"].series}{{namespace="team",job_name="job-1"'
    rows = [line.split()[-2:] for line in lines if line.startswith(name)]
    assert [int(moment) for _, moment in rows] == [999_700, 999_800, 999_900]
    values = [float(value) for value, _ in rows]
    assert values == sorted(values)
