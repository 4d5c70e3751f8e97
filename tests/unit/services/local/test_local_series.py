"""What a machine's page says of its jobs, and what a scrape costs it."""

from datetime import timedelta
from typing import Any

import pytest

from tests.dashboards.promtool import check_page, needs_promtool
from tests.unit.core.instruments.page_reading import missing_in, read
from vppo_core.catalogue.control import JOBS
from vppo_core.instruments import page_of
from vppo_core.spec.platform import PlatformSpec
from vppo_core.spec.status import JobPhase


def page(machine: Any) -> dict[str, float]:
    return read(machine.loop.series.registry)


def of_jobs(machine: Any) -> set[str]:
    return {series for series in page(machine) if series.startswith("vppo_job_")}


def test_a_job_is_shown_while_it_lives_and_counted_when_it_is_over(
    machine: Any, job_named: Any
) -> None:
    machine.submit(job_named("demo"))
    machine.rounds(3)
    found = page(machine)
    assert found["vppo_job_phase demo default Running"] == 1
    assert found["vppo_job_step demo default"] >= 1
    assert found["vppo_job_total_steps demo default"] == 3
    assert found["vppo_job_live_attempts demo default"] == 1
    assert found["vppo_attempts_started_total"] == found["vppo_queue_wait_seconds_count"] == 1
    assert (found["vppo_archive_backlog"], found["vppo_archive_lag_seconds"]) == (0, 0)
    assert missing_in(page_of(machine.loop.series.registry), JOBS) == []
    machine.until("demo", "Succeeded")
    machine.round(seconds=6)
    found = page(machine)
    assert of_jobs(machine) == set()
    assert (found["vppo_jobs Running"], found["vppo_jobs Succeeded"]) == (0, 1)
    assert found["vppo_gpu_seconds_total productive"] > 0


def test_who_waits_is_shown_from_the_first_round_of_another_server(
    machine: Any, job_named: Any
) -> None:
    for number in range(150):  # more than one round looks at
        machine.submit(job_named(f"j{number}"))
    machine.rounds(2)
    machine.restart()
    assert of_jobs(machine) == set()
    machine.round(train=False)
    found = page(machine)
    assert sum(found[f"vppo_jobs {phase}"] for phase in JobPhase) == 150
    assert found["vppo_attempts_started_total"] == 0


def test_a_wait_for_the_pool_is_measured(machine: Any, job_named: Any) -> None:
    machine.submit(job_named("first"))
    machine.round()
    machine.submit(job_named("second"))
    machine.until("second", "Succeeded")
    found = page(machine)
    assert found["vppo_queue_wait_seconds_count"] == 2
    assert 2 <= found["vppo_queue_wait_seconds_sum"] <= 10


def test_a_deleted_job_leaves_no_series_and_its_name_may_live_again(
    new_machine: Any, job_named: Any
) -> None:
    machine = new_machine(total=50)
    for _ in range(2):
        machine.submit(job_named("demo"))
        machine.rounds(3)  # what a round writes, the next one shows
        assert page(machine)["vppo_job_phase demo default Running"] == 1
        machine.store.delete("demo", actor="ann")
        machine.until("demo", "Cancelled")
    machine.rounds(2)
    assert of_jobs(machine) == set()


def test_a_loop_that_does_not_lead_tells_of_no_job(machine: Any, job_named: Any) -> None:
    machine.submit(job_named("demo"))
    found = page(machine)
    assert sum(value for series, value in found.items() if series.startswith("vppo_jobs")) == 0
    assert "vppo_archive_backlog" not in found


def test_a_database_that_is_away_does_not_hide_the_page(machine: Any, job_named: Any) -> None:
    machine.submit(job_named("demo"))
    machine.until("demo", "Succeeded")
    machine.round(seconds=6)
    assert page(machine)["vppo_jobs Succeeded"] == 1
    machine.db.is_away = True
    machine.clock.advance(600)
    machine.loop.series.show([], PlatformSpec(), machine.clock())
    assert page(machine)["vppo_jobs Succeeded"] == 1


def test_scrapes_do_not_count_what_is_over_again_and_again(machine: Any) -> None:
    asked: list[str] = []
    reading = machine.db.reading

    def noted() -> Any:
        asked.append("read")
        return reading()

    machine.round()
    page(machine)
    machine.db.reading = noted
    for _ in range(50):
        page(machine)
    assert asked == []
    machine.clock.advance(61)
    machine.loop.series.show([], PlatformSpec(), machine.clock())
    for _ in range(50):
        page(machine)
    assert asked == ["read"]


@needs_promtool
def test_promtool_is_content_with_the_page(machine: Any, job_named: Any) -> None:
    machine.submit(job_named("demo"))
    machine.submit(job_named("other"))
    machine.rounds(3)
    assert check_page(page_of(machine.loop.series.registry)) == ""


@pytest.mark.parametrize("seconds", [1, 4])
def test_an_end_is_counted_soon_and_not_at_every_scrape(
    machine: Any, job_named: Any, seconds: int
) -> None:
    machine.submit(job_named("demo"))
    machine.round()
    page(machine)
    machine.until("demo", "Succeeded")
    machine.round(seconds=seconds)
    waited = machine.clock() + timedelta(seconds=6)
    machine.loop.series.show([], PlatformSpec(), waited)
    assert page(machine)["vppo_jobs Succeeded"] == 1
