"""What the operator's page says of jobs while they live, and afterwards."""

from tests.sim.conftest import WorldOf
from tests.sim.driver import Trouble
from tests.sim.stories import is_preempted
from tests.sim.world import HOME, World
from tests.unit.core.instruments.page_reading import missing_in, read
from vppo_core.catalogue.control import JOBS
from vppo_core.instruments import page_of
from vppo_core.kube.kinds import VPPO_JOBS
from vppo_operator.measuring import Measures


def measures(world: World) -> Measures:
    return world.operator.reconciler.measures


def page(world: World) -> dict[str, float]:
    reconciler = world.operator.reconciler
    reconciler.measures.scraped(reconciler.archiver, world.platform, world.clock())
    return read(reconciler.measures.registry)


def of_jobs(world: World) -> set[str]:
    return {series.partition(" ")[0] for series in page(world) if "demo" in series}


def test_a_job_is_shown_while_it_lives_and_counted_when_it_is_over(world: World) -> None:
    world.submit(steps=12)
    world.run_to_step(3)
    found = page(world)
    assert found["vppo_job_phase demo default Running"] == 1
    assert found["vppo_job_step demo default"] >= 3
    assert found["vppo_job_total_steps demo default"] == 12
    assert found["vppo_job_live_attempts demo default"] == 1
    assert found["vppo_jobs Running"] == 1
    assert found["vppo_attempts_started_total"] == 1
    assert found["vppo_queue_wait_seconds_count"] == 1
    assert missing_in(page_of(measures(world).registry), JOBS) == []
    world.run_until("demo", "Succeeded")
    found = page(world)
    assert of_jobs(world) == set()
    assert (found["vppo_jobs Running"], found["vppo_jobs Succeeded"]) == (0, 1)
    used = world.status().usage
    assert found["vppo_gpu_seconds_total productive"] >= used.gpu_seconds_productive > 0
    assert found["vppo_gpu_seconds_total lost"] == 0


def test_a_deleted_job_leaves_no_series(world: World) -> None:
    world.submit(steps=50)
    world.run_to_step(3)
    assert "vppo_job_phase" in of_jobs(world)
    world.delete()
    world.run_while(lambda: world.phase() != "Gone")
    world.steps(2)
    assert of_jobs(world) == set()
    assert sum(value for series, value in page(world).items() if "vppo_jobs " in series) == 0


def test_every_attempt_and_every_failure_is_counted_by_its_class(world: World) -> None:
    out_of_memory = Trouble(4, failure_class="OutOfMemory", message="CUDA out of memory")
    world.script(trouble={1: Trouble(3), 2: out_of_memory}, save_every=2)
    world.submit(steps=6)
    world.run_until("demo", "Succeeded")
    found = page(world)
    assert found["vppo_attempts_started_total"] == 3
    failures = {s.partition(" ")[2]: v for s, v in found.items() if "attempt_failures" in s and v}
    assert failures == {"AppFailed": 1, "OutOfMemory": 1}
    assert found["vppo_gpu_seconds_total lost"] > 0


def test_a_job_that_loses_its_quota_waits_twice(world_of: WorldOf) -> None:
    world = world_of(kueue=True)
    is_preempted(world)
    found = page(world)
    assert found["vppo_attempt_failures_total Preempted"] >= 1
    assert found["vppo_queue_wait_seconds_count"] == found["vppo_attempts_started_total"] == 2
    assert found["vppo_queue_wait_seconds_sum"] > 0


def test_a_driver_that_ray_starts_again_is_counted(world: World) -> None:
    world.submit(steps=30)
    world.run_to_step(8)
    assert page(world)["vppo_silent_restarts_total"] == 0
    world.nodes.kill(world.pods(role="head")[0])
    world.run_until("demo", "Succeeded")
    assert page(world)["vppo_silent_restarts_total"] == 1


def test_another_operator_counts_nothing_again_and_shows_the_same(world: World) -> None:
    world.submit(steps=30)
    world.run_to_step(4)
    before = {s: v for s, v in page(world).items() if "demo" in s}
    world.operator.restart()
    assert of_jobs(world) == set()
    world.operator.step()
    found = page(world)
    assert found["vppo_attempts_started_total"] == 0
    assert {s for s in found if "demo" in s} == before.keys()
    key = "vppo_job_phase_timestamp_seconds demo default"
    assert found[key] == before[key]


def test_an_archive_that_is_away_falls_behind(world: World) -> None:
    assert world.db is not None
    world.submit(steps=200)
    world.run_to_step(3)
    assert (page(world)["vppo_archive_backlog"], page(world)["vppo_archive_lag_seconds"]) == (0, 0)
    world.db.is_away = True
    world.steps(30)
    behind = page(world)
    assert behind["vppo_archive_backlog"] == 1
    assert 100 <= behind["vppo_archive_lag_seconds"] <= 300
    world.db.is_away = False
    world.steps(20)
    after = page(world)
    assert (after["vppo_archive_backlog"], after["vppo_archive_lag_seconds"]) == (0, 0)


def test_a_job_that_nobody_can_read_is_counted_all_the_same(world: World) -> None:
    world.submit(steps=30)
    world.step()
    world.store.patch(VPPO_JOBS, HOME, "demo", {"spec": {"moon": "full"}})
    world.operator.restart()
    world.step()
    assert sum(value for series, value in page(world).items() if "vppo_jobs " in series) == 1
