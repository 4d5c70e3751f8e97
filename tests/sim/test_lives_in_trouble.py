"""Lives with failures in them: memory, nodes, images, secrets, deadlines, a changed platform."""

import pytest

from tests.sim.driver import Trouble
from tests.sim.platform import IMAGE, platform_of
from tests.sim.records import archived_job
from tests.sim.world import HOME, World
from vppo_core.kube.kinds import RAY_JOBS
from vppo_core.spec.status import FailureClass, JobPhase, Outcome

GRACE = {"stopGraceSeconds": 60}


@pytest.mark.parametrize("how", ["report", "container"])
def test_out_of_memory_tries_half_of_the_micro_batch(world: World, how: str) -> None:
    trouble = Trouble(3, failure_class="OutOfMemory", message="CUDA out of memory")
    if how == "container":
        trouble = Trouble(4, failure_class="Unknown", message="the role learner died")
    world.script(trouble={1: trouble})
    world.submit(steps=12)
    if how == "container":
        world.run_to_step(3)
        world.nodes.kill(world.pods(role="learner")[0], reason="OOMKilled")
    status = world.run_until("demo", "Succeeded")
    assert status.attempts[0].failure_class is FailureClass.OUT_OF_MEMORY, world.story()
    assert status.attempts[0].charged
    first, second = world.crew.drivers[0].micro_batch, world.crew.drivers[-1].micro_batch
    assert second == first // 2


def test_out_of_memory_twice_is_the_end(world: World) -> None:
    trouble = Trouble(3, failure_class="OutOfMemory", message="CUDA out of memory")
    world.script(trouble={1: trouble, 2: trouble})
    world.submit(steps=12)
    status = world.run_until("demo", "Failed")
    assert world.reason("Failed") == ("True", "OutOfMemory")
    assert len(status.attempts) == 2


def test_a_failure_is_tried_again_until_the_budget_is_spent(world: World) -> None:
    world.script(trouble={index: Trouble(2) for index in range(1, 9)})
    world.submit(steps=12, scheduling={"maxAttempts": 2})
    status = world.run_until("demo", "Failed")
    assert [one.charged for one in status.attempts] == [True, True]
    assert world.reason("Failed") == ("True", "AppFailed")
    world.settle()
    assert world.pods() == []


def test_an_error_of_the_user_is_not_tried_again(world: World) -> None:
    world.script(trouble={1: Trouble(0, exit_code=2, failure_class="InvalidSpec", message="no")})
    world.submit(steps=12)
    status = world.run_until("demo", "Failed")
    assert len(status.attempts) == 1
    assert world.reason("Failed") == ("True", "UserError")


def test_a_lost_node_of_the_head_is_not_charged(world: World) -> None:
    world.submit(steps=30)
    world.run_to_step(6)
    world.nodes.lose(world.pods(role="head")[0])
    status = world.run_until("demo", "Succeeded")
    assert sum(one.charged for one in status.attempts) == 0


def test_a_cluster_that_vanishes_is_a_lost_attempt(world: World) -> None:
    world.submit(steps=30)
    world.run_to_step(6)
    world.store.remove(RAY_JOBS, HOME, "demo-a1")
    status = world.run_until("demo", "Succeeded")
    assert status.attempts[0].outcome in (Outcome.LOST, Outcome.STOPPED)
    assert sum(one.charged for one in status.attempts) == 0
    assert status.attempts[-1].first_step >= 5


def test_an_image_that_cannot_be_pulled(world: World) -> None:
    world.nodes.missing_images.add(IMAGE)
    world.submit(steps=8)
    world.run_until("demo", "Queued")
    assert world.reason("Queued") == ("True", "ImagePull")
    world.nodes.missing_images.clear()
    assert len(world.run_until("demo", "Succeeded").attempts) == 1


def test_an_image_that_is_never_there(world: World) -> None:
    world.nodes.missing_images.add(IMAGE)
    world.submit(steps=8)
    world.steps(10)
    world.steps(10, seconds=600)
    assert world.phase() == "Failed", world.story()
    assert world.reason("Failed") == ("True", "StartTimeout")
    assert IMAGE in world.status().attempts[0].message
    assert not world.status().attempts[0].charged


def test_an_unknown_secret(world: World) -> None:
    world.submit(steps=8, placement={"secret": "tokens"})
    world.run_until("demo", "Queued")
    assert world.reason("Queued") == ("True", "MissingSecret")
    world.nodes.secrets.add("tokens")
    world.run_until("demo", "Succeeded")


def test_nodes_without_room(world: World) -> None:
    world.nodes.is_full = True
    world.submit(steps=8)
    world.run_until("demo", "Queued")
    assert world.reason("Queued") == ("True", "Unschedulable")
    world.nodes.is_full = False
    world.run_until("demo", "Succeeded")


def test_kuberay_is_installed_later(world: World) -> None:
    world.server.not_served.add(RAY_JOBS)
    world.submit(steps=8)
    world.run_until("demo", "Queued")
    assert world.reason("Queued") == ("True", "KubeRayMissing")
    assert world.status().attempts == () or world.status().attempts[0].ended is None
    world.server.not_served.clear()
    status = world.run_until("demo", "Succeeded")
    assert [one.index for one in status.attempts] == [1]


def test_a_job_that_the_platform_does_not_take_and_then_does(world: World) -> None:
    world.submit(steps=8, scheduling={"queue": "second"})
    world.steps(5)
    assert world.reason("Accepted") == ("False", "UnknownQueue")
    assert world.store.list(RAY_JOBS) == []
    world.platform = platform_of(queues=("default", "second"))
    world.operator.restart()
    world.run_until("demo", "Succeeded")
    assert world.reason("Accepted") == ("True", "Valid")


def test_a_spec_that_is_no_job(world: World) -> None:
    world.submit(steps=8, rollout={"promptsPerStep": 7, "groupSize": 4})
    world.steps(5)
    assert world.reason("Accepted") == ("False", "InvalidSpec")
    world.delete()
    world.run_while(lambda: world.phase() != "Gone", limit=5)


def test_a_finished_job_expires(world: World) -> None:
    uid = world.submit(steps=4, ttlSecondsAfterFinished=3600)["metadata"]["uid"]
    world.run_until("demo", "Succeeded")
    world.steps(5)
    assert world.mirror(uid).exit(1).exists()
    world.steps(30, seconds=300)
    assert not world.mirror(uid).exit(1).exists()
    record = archived_job(world, uid)
    assert record.phase is JobPhase.SUCCEEDED
    assert record.expired is not None
    assert world.leftovers() == []


def test_a_deadline_of_running_time(world: World) -> None:
    world.submit(steps=500, activeDeadlineSeconds=200, scheduling=GRACE)
    status = world.run_until("demo", "Failed")
    assert world.reason("Failed") == ("True", "Deadline")
    last = status.attempts[-1]
    assert last.checkpoint_step == last.last_step > 0  # it saved first
    world.settle()
    assert world.pods() == []


def test_a_deadline_of_waiting_time(world: World) -> None:
    world.nodes.is_full = True
    world.submit(steps=50, pendingDeadlineSeconds=120, scheduling=GRACE)
    world.run_until("demo", "Failed")
    assert world.reason("Failed") == ("True", "Deadline")
    world.settle()
    assert world.pods() == []


def test_a_driver_that_does_not_obey_is_ended(world: World) -> None:
    world.script(ignores_stop=True)
    world.submit(steps=500, scheduling=GRACE)
    world.run_to_step(7)
    world.change(desiredState="Paused")
    status = world.run_until("demo", "Paused")
    assert status.attempts[-1].outcome is Outcome.STOPPED
    assert status.checkpoint is not None
    assert status.checkpoint.step % 5 == 0  # the last ordinary one
    world.script(ignores_stop=False)
    world.change(desiredState="Running")
    assert world.run_until("demo", "Starting", "Running").attempts[-1].first_step >= 5
