"""Traps of KubeRay, continued: how attempts are rendered, restart, leak and disappear."""

import json
import math

import pytest

from tests.sim.driver import Trouble
from tests.sim.rayjobs import rendered, templates
from tests.sim.records import reasons_of
from tests.sim.world import HOME, World
from vppo_core.kube.api import KubeObject
from vppo_core.kube.kinds import RAY_CLUSTERS, RAY_JOBS

GRACE = {"stopGraceSeconds": 60}

# 10 and 11, 13, 15 and 17: what is rendered


@pytest.fixture
def attempt(world: World) -> KubeObject:
    world.submit(steps=4)
    world.run_until("demo", "Starting", "Running")
    return world.ray_job(1)


def test_10_both_replica_limits_stand_there(attempt: KubeObject) -> None:
    groups = attempt["spec"]["rayClusterSpec"]["workerGroupSpecs"]
    assert groups
    for group in groups:
        assert group["replicas"] == group["minReplicas"] == group["maxReplicas"]


def test_11_and_13_nothing_asks_for_the_autoscaler_or_for_tokens(attempt: KubeObject) -> None:
    cluster = attempt["spec"]["rayClusterSpec"]
    assert cluster["rayVersion"]
    assert not cluster.get("enableInTreeAutoscaling")
    assert "autoscalerOptions" not in cluster
    assert "RAY_enable_autoscaler_v2" not in json.dumps(cluster)
    assert "enableK8sTokenAuth" not in json.dumps(cluster)


def test_12_no_word_of_a_user_gets_into_a_shell(world: World) -> None:
    evil = "$(touch /tmp/x)"
    world.submit(steps=4, data={"source": evil}, model={"source": evil})
    world.run_until("demo", "Succeeded")
    for job in rendered(world):
        assert job["spec"]["entrypoint"] == "python -m vppo_services.driver"
        assert job["spec"]["submissionMode"] == "HTTPMode"
        assert evil not in json.dumps(job)


def test_12_a_head_that_starts_anew_goes_on_from_its_checkpoint(world: World) -> None:
    uid = world.submit(steps=30)["metadata"]["uid"]
    world.run_to_step(8)
    before = world.driver().incarnation
    world.nodes.kill(world.pods(role="head")[0])
    status = world.run_until("demo", "Succeeded")
    again = world.crew.drivers[-1]
    assert again.incarnation != before
    assert "SilentRestart" in reasons_of(world, uid), reasons_of(world, uid)
    assert sum(one.charged for one in status.attempts) == 0


def test_14_silence_of_kuberay_is_no_alarm_and_silence_of_the_driver_is(world: World) -> None:
    world.submit(steps=10_000)
    world.run_to_step(3)
    before = world.ray_job(1)["metadata"]["resourceVersion"]
    for _ in range(60):
        world.step(60)
        assert world.reason("Running") == ("True", "Training")
    assert world.ray_job(1)["metadata"]["resourceVersion"] == before
    world.script(hangs_at=world.driver_steps())
    for _ in range(60):
        world.step(60)
    assert world.reason("Running") == ("True", "NoProgress")


def test_15_the_labels_are_on_the_pods(attempt: KubeObject) -> None:
    for template in templates(attempt):
        labels = template["metadata"]["labels"]
        assert labels["vppo.io/job"] == "demo"
        assert labels["vppo.io/attempt"] == "1"
        assert labels["vppo.io/role"]


@pytest.mark.parametrize("how", ["succeeds", "fails", "vanishes"])
def test_16_a_cluster_that_kuberay_leaks_is_removed(world: World, how: str) -> None:
    world.kuberay.leaks = True
    world.script(trouble={1: Trouble(3, exit_code=2, failure_class="InvalidSpec")})
    if how != "fails":
        world.script(trouble={})
    world.submit(steps=8)
    if how == "vanishes":
        world.run_to_step(3)
        cluster = world.store.list(RAY_CLUSTERS)[0]
        cluster["metadata"]["ownerReferences"] = []  # nobody collects it
        world.store.put(RAY_CLUSTERS, cluster)
        world.store.remove(RAY_JOBS, HOME, "demo-a1")
    world.run_while(
        lambda: world.status().attempts == () or world.status().attempts[0].ended is None
    )
    world.steps(math.ceil(600 / 10))
    first = {one["metadata"]["labels"]["vppo.io/attempt"] for one in world.pods()}
    assert "1" not in first
    clusters = world.store.list(RAY_CLUSTERS, labels={"vppo.io/attempt": "1"})
    assert clusters == []


def test_17_and_3_5_it_asks_for_http_mode_and_a_short_ttl(attempt: KubeObject) -> None:
    spec = attempt["spec"]
    assert spec["submissionMode"] == "HTTPMode"
    assert spec["shutdownAfterJobFinishes"] is True
    assert spec["ttlSecondsAfterFinished"] == 60
    assert "deletionStrategy" not in spec
    assert "suspend" not in spec


# Further ones in the same source


def test_a_rayjob_that_kuberay_deletes_after_its_end(world: World) -> None:
    world.kuberay.deletes_ended_jobs = True
    world.operator.is_up = True
    world.submit(steps=6)
    world.run_to_step(3)
    world.operator.is_up = False  # it sees nothing of the end
    world.steps(40)
    assert world.store.list(RAY_JOBS) == []
    world.operator.restart()
    world.operator.is_up = True
    status = world.run_while(lambda: world.phase() not in ("Succeeded", "Failed"), limit=60)
    assert world.phase() == "Succeeded", world.story()
    assert sum(one.charged for one in status.attempts) == 0


def test_kuberay_is_away_for_a_while(world: World) -> None:
    world.kuberay.is_running = False
    world.submit(steps=6)
    world.steps(10)
    assert world.phase() in ("Starting", "Queued")
    world.kuberay.is_running = True
    assert len(world.run_until("demo", "Succeeded").attempts) == 1


def test_pods_on_a_node_that_is_silent_hold_the_next_attempt_for_a_while(world: World) -> None:
    world.submit(steps=30)
    world.run_to_step(6)
    world.script(ignores_stop=True)
    pod = world.pods(role="learner")[0]
    world.nodes.stuck.add(pod["spec"]["nodeName"])
    world.store.delete(RAY_JOBS, HOME, "demo-a1")
    world.steps(20)
    assert world.status().attempt == 1, "something of the first is still there"
    world.nodes.stuck.clear()
    status = world.run_until("demo", "Succeeded")
    assert status.attempt == 2


def test_stuck_pods_of_an_earlier_job_are_not_those_of_its_namesake(world: World) -> None:
    world.submit(steps=30, scheduling=GRACE)
    world.run_to_step(6)
    pod = world.pods(role="learner")[0]
    world.nodes.stuck.add(pod["spec"]["nodeName"])
    world.delete()
    world.run_while(lambda: world.phase() != "Gone")  # minutes later: nobody hears of the node
    world.submit(steps=6)
    status = world.run_until("demo", "Succeeded")
    assert [(one.index, one.first_step) for one in status.attempts] == [(1, 0)]
