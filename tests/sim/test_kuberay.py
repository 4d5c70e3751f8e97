"""The simulated KubeRay, Kueue and nodes behave as the real ones do, traps included."""

import json
from typing import Any

import pytest

from tests.sim.conftest import WorldOf
from tests.sim.driver import Trouble
from tests.sim.platform import IMAGE
from tests.sim.world import HOME, World
from vppo_core.kube.api import KubeObject
from vppo_core.kube.kinds import CONFIG_MAPS, RAY_CLUSTERS, RAY_JOBS
from vppo_core.manifests.attempt import AttemptRequest
from vppo_core.manifests.render import kind_of, render
from vppo_core.spec.loading import job_from_document


@pytest.fixture
def idle(world: World) -> World:
    """A world whose operator is away."""
    world.operator.is_up = False
    return world


def start(world: World, *, steps: int = 4, index: int = 1) -> None:
    made = world.job() or world.submit(steps=steps)
    keys = ("apiVersion", "kind", "spec")
    document: dict[str, Any] = {key: made[key] for key in keys}
    document["metadata"] = {"name": "demo", "namespace": HOME}
    request = AttemptRequest(
        job=job_from_document(document),
        uid=made["metadata"]["uid"],
        index=index,
        platform=world.platform,
    )
    for one in render(request):
        world.store.create(kind_of(one), one)


def status(world: World) -> KubeObject:
    found: KubeObject = world.ray_job(1).get("status", {})
    return found


def state(world: World) -> str:
    return str(status(world).get("jobDeploymentStatus", ""))


def run_to(world: World, wanted: str, limit: int = 60) -> None:
    for _ in range(limit):
        if state(world) == wanted:
            return
        world.step()
    raise AssertionError(f"{state(world)} is not {wanted}")


def test_a_life(idle: World) -> None:
    start(idle)
    seen: list[str] = []
    while state(idle) != "Complete":
        idle.step()
        seen += [state(idle)] if state(idle) not in seen[-1:] else []
    assert seen == ["Initializing", "Running", "Complete"]
    assert status(idle)["jobStatus"] == "SUCCEEDED"
    assert status(idle)["rayClusterName"].startswith("demo-a1-")
    labels = idle.pods(role="learner")[0]["metadata"]["labels"]
    assert labels["vppo.io/attempt"] == "1"
    assert labels["ray.io/group"] == "learner"
    idle.steps(10)
    assert idle.pods() == []
    assert idle.store.list(RAY_CLUSTERS) == []
    assert idle.ray_job(1)  # it stays


def test_a_driver_writes_what_the_receiver_would(idle: World) -> None:
    idle.receiver_is_up = False
    start(idle)
    run_to(idle, "Complete")
    uid = (idle.job() or {})["metadata"]["uid"]
    report = json.loads((idle.volume / uid / "attempts/1/exit.json").read_text())
    assert (report["outcome"], report["lastStep"]) == ("Succeeded", 4)
    assert not idle.mirror(uid).path.exists()


@pytest.mark.parametrize(
    ("trouble", "wanted"),
    [
        (Trouble(2), ("Failed", "FAILED", "AppFailed")),
        (Trouble(2, exit_code=0, outcome="Stopped"), ("Complete", "SUCCEEDED", "")),
    ],
)
def test_its_end_is_that_of_the_entrypoint(
    idle: World, trouble: Trouble, wanted: tuple[str, ...]
) -> None:
    idle.script(trouble={1: trouble})
    start(idle)
    run_to(idle, wanted[0])
    assert (status(idle)["jobStatus"], status(idle)["reason"]) == wanted[1:]


def test_a_refused_one_is_stuck(idle: World) -> None:
    idle.kuberay.refuses["*"] = "no"
    start(idle)
    idle.step()
    idle.kuberay.refuses.clear()
    idle.steps(50)
    assert state(idle) == "ValidationFailed"


def test_suspension_wipes_its_history(idle: World) -> None:
    start(idle)
    run_to(idle, "Running")
    idle.store.patch(RAY_JOBS, HOME, "demo-a1", {"spec": {"suspend": True}})
    run_to(idle, "Suspended")
    assert set(status(idle)) == {"jobDeploymentStatus", "startTime"}
    idle.store.patch(RAY_JOBS, HOME, "demo-a1", {"spec": {"suspend": False}})
    run_to(idle, "Complete")


def test_a_deadline_leaves_the_ray_job_running(idle: World) -> None:
    start(idle, steps=1000)
    idle.store.patch(RAY_JOBS, HOME, "demo-a1", {"spec": {"activeDeadlineSeconds": 100}})
    run_to(idle, "Failed")
    assert (status(idle)["jobStatus"], status(idle)["reason"]) == ("RUNNING", "DeadlineExceeded")
    assert idle.driver().job_status == "RUNNING"


def test_a_start_that_takes_too_long(idle: World) -> None:
    idle.nodes.missing_images.add(IMAGE)
    start(idle)
    idle.steps(5)
    waiting = idle.pods()[0]["status"]["containerStatuses"][0]["state"]["waiting"]
    assert waiting["reason"] == "ImagePullBackOff"
    idle.steps(10, seconds=600)
    assert status(idle)["reason"] == "PreRunningDeadlineExceeded"


def test_a_dashboard_that_does_not_answer(idle: World) -> None:
    start(idle, steps=1000)
    run_to(idle, "Running")
    idle.steps(3)
    idle.kuberay.dashboard_is_down.add("demo-a1")
    idle.store.delete(RAY_JOBS, HOME, "demo-a1")
    idle.steps(100)
    assert "deletionTimestamp" in idle.ray_job(1)["metadata"]
    assert idle.driver().job_status == "RUNNING"


def test_a_status_that_cannot_be_asked_for_ends_the_job(idle: World) -> None:
    start(idle, steps=1000)
    run_to(idle, "Running")
    idle.steps(3)
    idle.kuberay.dashboard_is_down.add("demo-a1")
    run_to(idle, "Failed")
    assert status(idle)["reason"] == "JobStatusCheckTimeoutExceeded"
    assert status(idle)["jobStatus"] == "RUNNING"


def test_a_new_head_runs_the_entrypoint_again(idle: World) -> None:
    start(idle, steps=30)
    run_to(idle, "Running")
    idle.steps(8)
    old = idle.driver()
    idle.nodes.kill(idle.pods(role="head")[0])
    run_to(idle, "Complete")
    again = idle.crew.drivers[-1]
    assert idle.kuberay.resubmissions == 1
    assert (old.job_status, again.job_status) == ("FAILED", "SUCCEEDED")
    assert old.incarnation != again.incarnation


def test_a_message_alone_is_not_written(idle: World) -> None:
    start(idle, steps=50)
    run_to(idle, "Running")
    idle.step()
    before = idle.ray_job(1)["metadata"]["resourceVersion"]
    idle.steps(10)
    assert idle.ray_job(1)["metadata"]["resourceVersion"] == before


def test_deletion_stops_the_driver_and_its_pods(idle: World) -> None:
    start(idle, steps=1000)
    run_to(idle, "Running")
    idle.steps(4)
    driver = idle.driver()
    idle.store.delete(RAY_JOBS, HOME, "demo-a1")
    idle.steps(4)
    assert driver.job_status == "SUCCEEDED"  # SIGTERM: it saved and ended
    assert idle.leftovers() == []


def test_pods_wait_for_what_is_missing(idle: World) -> None:
    idle.nodes.is_full = True
    start(idle)
    idle.steps(3)
    assert idle.pods()[0]["status"]["conditions"][0]["reason"] == "Unschedulable"
    idle.nodes.is_full = False
    idle.store.delete(CONFIG_MAPS, HOME, "demo-a1")
    idle.steps(5)
    assert idle.pods()[0]["status"]["phase"] == "Pending"


def test_kueue_admits_evicts_and_lets_go(world_of: WorldOf) -> None:
    world = world_of(kueue=True)
    world.operator.is_up = False
    assert world.kueue is not None
    world.kueue.quota = 0
    start(world, steps=30)
    assert world.ray_job(1)["spec"]["suspend"] is True
    world.steps(5)
    workload = world.kueue.workload_of(HOME, "demo-a1")
    assert workload is not None
    rows = {row["type"]: row for row in workload["status"]["conditions"]}
    assert rows["QuotaReserved"]["reason"] == "ExceedsMaxQuota"
    assert world.pods() == []
    world.kueue.quota = 8
    run_to(world, "Running")
    world.steps(6)
    world.kueue.quota = 0
    world.kueue.evict("demo-a1")
    run_to(world, "Suspended")
    assert world.pods() == [] or all(p["metadata"].get("deletionTimestamp") for p in world.pods())
    world.kueue.quota = 8
    run_to(world, "Complete")
    world.steps(10)
    world.store.delete(RAY_JOBS, HOME, "demo-a1")
    world.steps(2)
    assert world.leftovers() == []
