"""Whole lives of jobs in the simulated cluster, from the first RayJob to the last record."""

from typing import Any

import pytest

from tests.sim.conftest import WorldOf
from tests.sim.records import archived_attempts, archived_job
from tests.sim.world import World
from vppo_core.spec.status import FailureClass, JobPhase, Outcome

GRACE = {"stopGraceSeconds": 60}


def only_attempt(world: World) -> Any:
    status = world.status()
    assert len(status.attempts) == 1, world.story()
    return status.attempts[0]


def test_a_job_trains_to_its_end(world: World) -> None:
    world.submit(steps=12)
    seen: list[str] = []
    for _ in range(100):
        world.step()
        if world.phase() not in seen[-1:]:
            seen.append(world.phase())
            if seen[-1] == "Running":
                assert (world.job() or {})["metadata"]["finalizers"] == ["vppo.io/attempt"]
    assert [one for one in seen if one != "Pending"] == ["Starting", "Running", "Succeeded"]
    status = world.status()
    assert (status.progress.step, status.progress.display) == (12, "12/12")
    assert status.checkpoint is not None
    assert status.checkpoint.step == 12
    assert only_attempt(world).outcome is Outcome.SUCCEEDED
    assert world.reason("Finished") == ("True", "Succeeded")
    uid = (world.job() or {})["metadata"]["uid"]
    record = archived_job(world, uid)
    assert record.phase is JobPhase.SUCCEEDED
    assert record.status == status
    assert [one.outcome for one in archived_attempts(world, uid)] == [Outcome.SUCCEEDED]
    world.settle()
    assert not (world.job() or {})["metadata"].get("finalizers")
    assert world.leftovers() in ([], ["demo-a1"])  # the RayJob may stay, its pods may not


def test_nothing_is_written_while_nothing_happens(world: World) -> None:
    world.submit(steps=1000)
    world.script(hangs_at=3)
    world.run_to_step(3)
    world.receiver_is_up = False
    world.steps(20, seconds=30)
    before = len(world.server.writes())
    world.steps(20, seconds=1)
    # Usage is told to the minute: that is all that may change in 20 quiet seconds.
    assert len(world.server.writes()) - before <= 1


def test_pause_saves_and_resume_goes_on_from_there(world: World) -> None:
    world.submit(steps=20)
    world.run_to_step(7)
    world.change(desiredState="Paused")
    status = world.run_until("demo", "Paused")
    assert world.reason("Paused") == ("True", "CheckpointSaved")
    assert status.checkpoint is not None
    saved = status.checkpoint.step
    assert saved >= 7
    assert status.attempts[-1].last_step == saved
    assert status.attempts[-1].outcome is Outcome.STOPPED
    world.steps(40)
    assert world.phase() == "Paused"
    assert world.pods() == []
    world.change(desiredState="Running")
    status = world.run_until("demo", "Succeeded")
    assert [one.first_step for one in status.attempts] == [0, saved]
    assert sum(one.charged for one in status.attempts) == 0


@pytest.mark.parametrize("where", ["before", "Starting", "Running"])
def test_cancel(world: World, where: str) -> None:
    world.submit(steps=50)
    if where != "before":
        world.run_until("demo", where)
    world.change(desiredState="Cancelled")
    world.run_until("demo", "Cancelled")
    world.settle()
    assert world.reason("Finished") == ("True", "Cancelled")
    assert world.pods() == []


@pytest.mark.parametrize("where", ["before", "Starting", "Running", "Paused", "Succeeded"])
def test_delete(world: World, where: str) -> None:
    uid = world.submit(steps=8)["metadata"]["uid"]
    if where == "Paused":
        world.run_until("demo", "Running")
        world.change(desiredState="Paused")
    if where != "before":
        world.run_until("demo", where)
    world.delete()
    world.run_while(lambda: world.phase() != "Gone")
    world.settle()
    assert world.leftovers() == []
    if where == "before":
        return  # nobody may have seen it
    record = archived_job(world, uid)
    wanted = JobPhase.SUCCEEDED if where == "Succeeded" else JobPhase.CANCELLED
    assert record.phase is wanted
    attempts = archived_attempts(world, uid)
    assert all(one.ended is not None for one in attempts)
    assert len(attempts) == 1


def test_a_deleted_job_saves_before_it_goes(world: World) -> None:
    uid = world.submit(steps=50)["metadata"]["uid"]
    world.run_to_step(6)
    world.delete()
    world.run_while(lambda: world.phase() != "Gone")
    attempt = archived_attempts(world, uid)[-1]
    assert attempt.outcome is Outcome.STOPPED
    assert attempt.checkpoint_step == attempt.last_step >= 6


def test_a_name_is_used_again(world: World) -> None:
    first = world.submit(steps=50)["metadata"]["uid"]
    world.run_to_step(3)
    world.delete()
    world.run_while(lambda: world.phase() != "Gone")
    second = world.submit(steps=6)["metadata"]["uid"]
    status = world.run_until("demo", "Succeeded")
    assert [one.index for one in status.attempts] == [1]
    assert only_attempt(world).first_step == 0
    assert archived_job(world, first).phase is JobPhase.CANCELLED
    assert archived_job(world, second).phase is JobPhase.SUCCEEDED


def test_a_job_that_is_deleted_while_the_operator_is_away(world: World) -> None:
    uid = world.submit(steps=50)["metadata"]["uid"]
    world.run_to_step(3)
    world.operator.is_up = False
    world.delete()
    world.steps(10)
    assert world.phase() != "Gone"
    world.operator.restart()
    world.operator.is_up = True
    world.run_while(lambda: world.phase() != "Gone")
    assert archived_job(world, uid).phase is JobPhase.CANCELLED


def test_training_does_not_need_the_operator(world: World) -> None:
    world.submit(steps=12)
    world.run_to_step(2)
    world.operator.is_up = False
    world.steps(30)
    world.operator.restart()
    world.operator.is_up = True
    world.receiver_is_up = True
    status = world.run_until("demo", "Succeeded")
    assert len(status.attempts) == 1


def test_kueue_takes_the_quota_and_gives_it_back(world_of: WorldOf) -> None:
    world = world_of(kueue=True)
    assert world.kueue is not None
    world.kueue.quota = 0
    world.submit(steps=20)
    world.run_until("demo", "Queued")
    assert world.reason("Queued") == ("True", "ExceedsMaxQuota")
    world.kueue.quota = 1
    world.run_to_step(6)
    world.kueue.quota = 0
    index = world.status().attempt
    world.kueue.evict(f"demo-a{index}")
    world.steps(10)
    assert world.phase() in ("Queued", "Retrying")
    world.kueue.quota = 1
    status = world.run_until("demo", "Succeeded")
    assert sum(one.charged for one in status.attempts) == 0
    preempted = [one for one in status.attempts if one.outcome is not Outcome.SUCCEEDED]
    assert all(one.failure_class is FailureClass.PREEMPTED for one in preempted), world.story()
    assert status.attempts[-1].first_step >= 5


def test_a_job_of_higher_priority_goes_first(world_of: WorldOf) -> None:
    world = world_of(kueue=True)
    assert world.kueue is not None
    world.kueue.quota = 1
    world.kueue.priorities = {"high": 100, "low": -100}
    world.submit("slow", steps=40, priority="low")
    world.run_to_step(6, "slow")
    world.submit("fast", steps=6, priority="high")
    world.run_until("fast", "Succeeded")
    assert world.phase("slow") != "Failed"
    status = world.run_until("slow", "Succeeded", limit=250)
    assert sum(one.charged for one in status.attempts) == 0


def test_a_changed_priority_reaches_kueue(world_of: WorldOf) -> None:
    world = world_of(kueue=True)
    assert world.kueue is not None
    world.kueue.quota = 0
    world.submit(steps=20, priority="low")
    world.run_until("demo", "Queued")
    world.change(priority="high")
    world.steps(3)
    label = "kueue.x-k8s.io/priority-class"
    assert world.ray_job(1)["metadata"]["labels"][label] == "high"
    assert world.ray_job(1)["spec"]["suspend"] is True


@pytest.mark.parametrize("verb", ["Paused", "Cancelled"])
def test_a_job_that_waits_for_quota_obeys_at_once(world_of: WorldOf, verb: str) -> None:
    world = world_of(kueue=True)
    assert world.kueue is not None
    world.kueue.quota = 0
    world.submit(steps=20)
    world.run_until("demo", "Queued")
    world.change(desiredState=verb)
    world.run_until("demo", verb, limit=8)
    world.settle()
    assert world.leftovers() == []
