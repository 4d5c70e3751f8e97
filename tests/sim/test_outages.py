"""What the operator stands on is away or lost: archive, volume, API server, its own rights."""

from tests.sim.conftest import WorldOf
from tests.sim.driver import Trouble
from tests.sim.records import archived_attempts, archived_job, reasons_of
from tests.sim.world import HOME, World
from vppo_core.kube.errors import KubeUnavailableError
from vppo_core.kube.kinds import RAY_JOBS, VPPO_JOBS
from vppo_core.spec.status import JobPhase, Outcome

GRACE = {"stopGraceSeconds": 60}


def test_the_archive_is_away_for_a_while(world: World) -> None:
    assert world.db is not None
    uid = world.submit(steps=20)["metadata"]["uid"]
    world.run_to_step(3)
    world.db.is_away = True
    world.steps(40)
    assert world.driver_steps() == 20  # training does not wait for it
    world.db.is_away = False
    world.run_until("demo", "Succeeded")
    world.settle()
    record = archived_job(world, uid)
    assert record.phase is JobPhase.SUCCEEDED
    assert [one.last_step for one in archived_attempts(world, uid)] == [20]
    assert "Succeeded" in reasons_of(world, uid)


def test_a_job_is_not_let_go_before_it_is_archived(world: World) -> None:
    assert world.db is not None
    uid = world.submit(steps=20)["metadata"]["uid"]
    world.run_to_step(3)
    world.db.is_away = True
    world.delete()
    world.steps(20)
    assert world.phase() != "Gone"
    world.db.is_away = False
    world.run_while(lambda: world.phase() != "Gone")
    assert archived_job(world, uid).phase is JobPhase.CANCELLED


def test_it_works_without_an_archive(world_of: WorldOf) -> None:
    world = world_of(has_archive=False)
    world.script(trouble={1: Trouble(6)})
    world.submit(steps=12)
    status = world.run_until("demo", "Succeeded")
    assert [one.charged for one in status.attempts] == [True, False]
    assert status.attempts[1].first_step == 5
    world.delete()
    world.run_while(lambda: world.phase() != "Gone")
    world.settle()
    assert world.leftovers() == []


def test_an_archive_that_was_lost_is_written_again(world_of: WorldOf) -> None:
    world = world_of()
    world.script(trouble={1: Trouble(6)})
    uid = world.submit(steps=30)["metadata"]["uid"]
    world.run_while(lambda: world.status().attempt < 2 or world.phase() != "Running")
    world.lose_archive()
    world.operator.restart()
    world.run_until("demo", "Succeeded")
    world.settle()
    assert archived_job(world, uid).phase is JobPhase.SUCCEEDED
    assert [one.index for one in archived_attempts(world, uid)] == [1, 2]


def test_the_volume_of_the_operator_is_lost(world: World) -> None:
    world.submit(steps=30)
    world.run_to_step(7)
    world.lose_state()
    world.operator.restart()
    world.change(desiredState="Paused")
    world.lose_state()
    status = world.run_until("demo", "Paused")
    assert status.attempts[-1].outcome is Outcome.STOPPED
    world.lose_state()
    world.change(desiredState="Running")
    status = world.run_until("demo", "Succeeded")
    assert [one.charged for one in status.attempts] == [False, False]


def test_the_api_server_is_away_for_a_while(world: World) -> None:
    world.submit(steps=12)
    world.run_to_step(2)
    world.server.is_unavailable = True
    world.steps(10)
    world.server.is_unavailable = False
    assert all(isinstance(one, KubeUnavailableError) for one in world.operator.errors)
    assert len(world.run_until("demo", "Succeeded").attempts) == 1


def test_it_may_not_make_rayjobs(world: World) -> None:
    world.server.forbid("create", RAY_JOBS)
    world.submit(steps=8)
    world.steps(10)
    assert world.phase() in ("Pending", "Queued", "Starting")
    world.server.allow("create", RAY_JOBS)
    assert [one.index for one in world.run_until("demo", "Succeeded").attempts] == [1]


def test_a_namespace_that_goes_is_not_held_up(world: World) -> None:
    from vppo_core.kube.kinds import NAMESPACES

    world.submit(steps=500, scheduling=GRACE)
    world.run_to_step(3)
    world.store.delete(NAMESPACES, "", HOME)
    for _ in range(60):
        world.step()
        if world.store.get(NAMESPACES, "", HOME) is None:
            return
    raise AssertionError(f"the namespace is still there: {world.story()}")


def test_status_is_what_the_definition_knows(world: World) -> None:
    from tests.sim.schema import unknown_fields

    world.script(trouble={1: Trouble(6)})
    world.submit(steps=12)
    for _ in range(60):
        world.step()
        job = world.job() or {}
        assert unknown_fields(job) == []
        assert job.get("status", {}).get("observedGeneration") in (None, 1)


def test_two_jobs_do_not_meet(world: World) -> None:
    world.submit("one", steps=12)
    world.submit("one-a1", steps=12)  # the name of the other's attempt
    world.run_until("one", "Succeeded")
    world.run_until("one-a1", "Succeeded")
    assert {job["metadata"]["name"] for job in world.store.list(VPPO_JOBS)} == {"one", "one-a1"}
