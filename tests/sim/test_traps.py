"""Traps 1 to 9 of KubeRay, each met by the operator; `test_traps_of_attempts.py` has the others."""

import pytest

from tests.sim.conftest import WorldOf
from tests.sim.driver import Trouble
from tests.sim.rayjobs import rendered, templates
from tests.sim.records import archived_attempts, reasons_of
from tests.sim.world import HOME, World
from vppo_core.kube.kinds import RAY_CLUSTERS, RAY_JOBS
from vppo_core.spec.status import AttemptStatus, FailureClass, Outcome

GRACE = {"stopGraceSeconds": 60}


def write_status(world: World, index: int = 1, **status: object) -> None:
    """Put words into KubeRay's mouth; None removes a field."""
    job = world.ray_job(index)
    merged = {**job.get("status", {}), **status}
    job["status"] = {key: value for key, value in merged.items() if value is not None}
    world.store.put(RAY_JOBS, job)


def silence(world: World) -> None:
    """Let the driver die without a report; KubeRay hears of it by what the test writes."""
    world.kuberay.is_running = False
    world.driver().kill()


# 1


@pytest.mark.parametrize(
    ("job", "deployment", "reason", "wanted"),
    [
        ("SUCCEEDED", "Complete", "", (Outcome.SUCCEEDED, None)),
        ("SUCCEEDED", "Failed", "JobDeploymentStatusTransitionGracePeriodExceeded", (
            Outcome.SUCCEEDED, None)),
        ("STOPPED", "Complete", "", (Outcome.FAILED, FailureClass.APP_FAILED)),
        ("FAILED", "Failed", "AppFailed", (Outcome.FAILED, FailureClass.APP_FAILED)),
        ("RUNNING", "Failed", "JobStatusCheckTimeoutExceeded", (
            Outcome.FAILED, FailureClass.NETWORK)),
        ("RUNNING", "Failed", "DeadlineExceeded", (Outcome.FAILED, FailureClass.DEADLINE)),
        ("", "Failed", "SubmissionFailed", (Outcome.FAILED, FailureClass.NETWORK)),
    ],
)  # fmt: skip
def test_1_complete_is_not_success(
    world: World, job: str, deployment: str, reason: str, wanted: tuple[Outcome, FailureClass]
) -> None:
    world.submit(steps=30, scheduling={"maxAttempts": 1})
    world.run_to_step(6)
    silence(world)
    end = world.clock().strftime("%Y-%m-%dT%H:%M:%SZ")
    write_status(world, jobStatus=job, jobDeploymentStatus=deployment, reason=reason, endTime=end)
    world.kuberay.is_running = True
    world.run_while(lambda: world.status().attempts[0].ended is None)
    attempt = world.status().attempts[0]
    assert (attempt.outcome, attempt.failure_class) == wanted, world.story()
    is_good = wanted[0] is Outcome.SUCCEEDED
    assert world.phase() == ("Succeeded" if is_good else "Failed")


def test_1_a_driver_that_stopped_as_asked_did_not_succeed_although_ray_says_so(
    world: World,
) -> None:
    world.submit(steps=30)
    world.run_to_step(6)
    world.change(desiredState="Paused")
    world.step()
    world.run_while(lambda: world.driver_runs())
    world.lose_state()  # its report with it: only Ray's SUCCEEDED is left
    status = world.run_until("demo", "Paused", "Succeeded")
    assert world.phase() == "Paused", world.story()
    assert status.attempts[-1].outcome is Outcome.STOPPED


def test_1_an_unknown_state_means_wait(world: World) -> None:
    world.submit(steps=30)
    world.run_to_step(6)
    world.kuberay.is_running = False
    write_status(world, jobDeploymentStatus="Levitating", jobStatus="HAPPY")
    world.steps(5)
    assert world.phase() == "Running"
    assert len(world.status().attempts) == 1


# 2


def test_2_a_rayjob_that_kuberay_refuses_goes_at_once(world_of: WorldOf) -> None:
    world = world_of(kueue=True)
    world.kuberay.refuses["*"] = "the spec uses an alpha field"
    uid = world.submit(steps=30)["metadata"]["uid"]
    world.run_until("demo", "Failed")
    assert world.reason("Failed") == ("True", "Rendering")
    assert "alpha field" in world.status().attempts[0].message
    assert not world.status().attempts[0].charged
    world.steps(3)
    assert world.leftovers() == []  # the quota is free
    assert "Failed" in reasons_of(world, uid)


# 3


def test_3_the_longest_name_is_one_that_kuberay_takes(world: World) -> None:
    name = "a" * 40
    world.crew.script(name).trouble = {1: Trouble(2)}
    world.submit(name, steps=6)
    world.run_until(name, "Succeeded")
    names = [one["metadata"]["name"] for one in world.store.list(RAY_JOBS)]
    assert all(len(one) <= 47 for one in names)


def test_3_a_longer_name_is_refused_in_words(world: World) -> None:
    world.submit("a" * 41, steps=6)
    world.steps(5)
    assert world.store.list(RAY_JOBS) == []
    status, reason = world.reason("Accepted", "a" * 41)
    assert (status, reason) == ("False", "InvalidSpec")


# 4


@pytest.mark.parametrize("is_deaf", [True, False])
def test_4_a_deadline_of_kuberay_wins_over_its_ray_job(world: World, is_deaf: bool) -> None:
    world.script(ignores_stop=is_deaf)
    world.submit(steps=10_000)
    world.run_to_step(6)
    world.store.patch(RAY_JOBS, HOME, "demo-a1", {"spec": {"activeDeadlineSeconds": 120}})
    status = world.run_until("demo", "Failed")
    assert world.reason("Failed") == ("True", "Deadline")
    assert world.pods() == []
    used = status.usage.gpu_seconds_allocated
    world.steps(20)
    assert world.status().usage.gpu_seconds_allocated == used


# 5


@pytest.mark.parametrize("when", ["Starting", "Running"])
def test_5_wiped_fields_are_not_forgotten(world: World, when: str) -> None:
    uid = world.submit(steps=200)["metadata"]["uid"]
    world.run_until("demo", when)
    world.steps(2)
    before = world.status().attempts[0]
    write_status(
        world,
        jobStatus=None,
        jobId=None,
        rayClusterName=None,
        dashboardURL=None,
        message=None,
        reason=None,
        startTime=world.clock().strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
    world.kuberay.is_running = False
    world.steps(3)
    after = world.status().attempts[0]
    assert_nothing_is_lost(before, after)
    assert_nothing_is_lost(before, archived_attempts(world, uid)[0])


def assert_nothing_is_lost(before: AttemptStatus, after: AttemptStatus) -> None:
    for field, value in before.model_dump(exclude={"last_step", "checkpoint_step"}).items():
        assert value is None or getattr(after, field) == value, field
    assert after.last_step >= before.last_step


# 6


def test_6_retries_are_ours(world: World) -> None:
    world.script(trouble={index: Trouble(2) for index in range(1, 30)})
    world.submit(steps=30, scheduling={"maxAttempts": 3})
    status = world.run_until("demo", "Failed", limit=300)
    assert [one.index for one in status.attempts] == [1, 2, 3]
    assert all(job["spec"]["backoffLimit"] == 0 for job in rendered(world))
    assert len(world.crew.drivers) == 3
    gaps = [
        (later.created - earlier.ended).total_seconds()
        for earlier, later in zip(status.attempts, status.attempts[1:], strict=False)
        if earlier.ended
    ]
    assert all(gap > 0 for gap in gaps)  # it waited


# 7


@pytest.mark.parametrize("when", ["Pending", "Starting", "Running"])
def test_7_a_pause_is_a_handshake_in_every_phase(world: World, when: str) -> None:
    world.submit(steps=100, scheduling={"stopGraceSeconds": 120})
    if when != "Pending":
        world.run_until("demo", when)
    world.steps(2 if when == "Running" else 0)
    world.change(desiredState="Paused")
    status = world.run_until("demo", "Paused")
    for attempt in status.attempts:
        assert attempt.outcome is Outcome.STOPPED
        assert attempt.checkpoint_step == attempt.last_step
    for job in rendered(world):
        for template in templates(job):
            spec = template["spec"]
            assert spec["terminationGracePeriodSeconds"] >= 120
            assert spec["containers"][0]["lifecycle"]["preStop"]


def test_7_the_operator_never_writes_suspend(world_of: WorldOf) -> None:
    world = world_of(kueue=True)
    assert world.kueue is not None
    world.submit(steps=20)
    world.run_to_step(3)
    world.change(desiredState="Paused")
    world.run_until("demo", "Paused")
    world.change(desiredState="Running")
    world.run_until("demo", "Succeeded")
    written = [call.body for call in world.server.writes() if call.kind == RAY_JOBS]
    assert written
    assert not any("suspend" in body for body in written)


# 8


@pytest.mark.parametrize("verb", ["delete", "Cancelled"])
def test_8_a_deletion_that_hangs_at_the_dashboard(world: World, verb: str) -> None:
    uid = world.submit(steps=5000, scheduling=GRACE)["metadata"]["uid"]
    world.script(ignores_stop=True)
    world.run_to_step(6)
    world.kuberay.dashboard_is_down.add("demo-a1")
    world.kuberay.leaks = True
    if verb == "delete":
        world.delete()
    else:
        world.change(desiredState=verb)
    world.steps(8)
    assert world.pods(), "it is live until it is gone"
    assert world.phase() not in ("Gone", "Cancelled")
    world.run_while(lambda: world.phase() not in ("Gone", "Cancelled"))
    world.steps(3)
    assert world.pods() == []
    assert world.store.list(RAY_CLUSTERS) == []
    assert archived_attempts(world, uid)[-1].ended is not None


# 9


def test_9_a_dashboard_out_of_reach_is_a_matter_of_the_network(world: World) -> None:
    world.submit(steps=200)
    world.run_to_step(8)
    world.kuberay.dashboard_is_down.add("demo-a1")
    world.run_while(lambda: world.status().attempt < 2, limit=200)
    first = world.status().attempts[0]
    assert first.failure_class is FailureClass.NETWORK, world.story()
    assert first.charged
    world.run_while(lambda: world.status().attempts[-1].started is None)
    assert world.status().attempts[-1].first_step >= 5


def test_9_a_driver_that_finished_meanwhile_succeeded(world: World) -> None:
    world.submit(steps=20)
    world.run_to_step(8)
    world.kuberay.dashboard_is_down.add("demo-a1")
    status = world.run_until("demo", "Succeeded", limit=200)
    assert [one.outcome for one in status.attempts] == [Outcome.SUCCEEDED]
