"""What an attempt waits for, in a word for programs and a sentence for people."""

from typing import Any

import pytest

from vppo_core.lifecycle.explain import explain_waiting
from vppo_core.spec.job import VPPOJobSpec
from vppo_core.spec.platform import PlatformSpec
from vppo_operator.parts import Parts
from vppo_operator.pod_troubles import Trouble, node_words
from vppo_operator.queue_state import queue_state

PLATFORM = PlatformSpec.model_validate(
    {
        "pools": [{"name": "h100", "gpus": 16, "nodes": {"gpusPerNode": 8}}],
        "queues": [{"name": "gpu", "pool": "h100"}],
        "cluster": {"image": "vppo:1"},
    }
)
SPEC = VPPOJobSpec.model_validate({"model": {"source": "a/b"}, "data": {"source": "c/d"}})


def pod(role: str = "rollout", **status: Any) -> dict[str, Any]:
    metadata = {"name": f"p-{role}", "namespace": "team", "labels": {"vppo.io/role": role}}
    return {"metadata": metadata, "status": {"phase": "Pending", **status}}


def waiting(reason: str, message: str = "", **container: Any) -> dict[str, Any]:
    state = {"waiting": {"reason": reason, "message": message}}
    return pod(containerStatuses=[{"name": "ray", "image": "vppo:1", "state": state, **container}])


def unschedulable(message: str, role: str = "rollout") -> dict[str, Any]:
    scheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    return pod(role, conditions=[{**scheduled, "message": message}])


def suspended(**quota: Any) -> Parts:
    conditions = [{"type": "QuotaReserved", "status": "False", **quota}] if quota else []
    return Parts(
        ray_job={"metadata": {"name": "demo-a1"}, "spec": {"suspend": True}},
        workload={"status": {"conditions": conditions}},
    )


def asked(live: Parts | None, trouble: Trouble | None = None) -> tuple[bool, str, str]:
    state = queue_state(SPEC, PLATFORM, live=live, trouble=trouble)
    return state.is_admitted, state.status.reason, explain_waiting(state).sentence


def test_without_an_attempt_it_may_start_at_once() -> None:
    state = queue_state(SPEC, PLATFORM, live=None)
    assert state.is_admitted
    place = state.status
    assert (place.name, place.pool, place.position) == ("gpu", "h100", 0)


def test_a_trouble_of_the_platform_keeps_the_next_attempt_back_but_not_a_live_one() -> None:
    trouble = Trouble("UnknownQueue", "There is no queue 'x'.")
    assert asked(None, trouble) == (False, "UnknownQueue", "There is no queue 'x'.")
    assert asked(Parts(pods=[pod()]), trouble)[0]


def test_pods_that_are_being_made_are_no_trouble() -> None:
    assert asked(Parts(pods=[waiting("ContainerCreating"), waiting("PodInitializing")]))[0]


@pytest.mark.parametrize(
    ("pods", "reason", "words"),
    [
        pytest.param(
            [waiting("ImagePullBackOff", 'Back-off pulling image "vppo:1"')],
            "ImagePull",
            ("'vppo:1'", "role rollout", "cluster.image"),
            id="image",
        ),
        pytest.param([waiting("InvalidImageName")], "ImagePull", ("cannot be pulled",), id="name"),
        pytest.param(
            [waiting("CreateContainerConfigError", 'secret "hub" not found')],
            "MissingSecret",
            ("Secret 'hub'", "namespace 'team'", "create it"),
            id="secret",
        ),
        pytest.param(
            [waiting("CreateContainerConfigError", "couldn't find key X")],
            "ContainerConfig",
            ("couldn't find key X",),
            id="config",
        ),
        pytest.param(
            [waiting("CrashLoopBackOff", lastState={"terminated": {"exitCode": 3}})],
            "CrashLoop",
            ("exit code 3", "p-rollout"),
            id="crash",
        ),
        pytest.param(
            [
                unschedulable("0/3 nodes are available: 3 Insufficient nvidia.com/gpu."),
                unschedulable("0/3 nodes are available: 3 Insufficient cpu.", "learner"),
            ],
            "Unschedulable",
            ("2 pods of roles learner, rollout", "too few free GPUs (nvidia.com/gpu)"),
            id="gpus",
        ),
        pytest.param(
            [
                unschedulable("0/1 nodes are available: 1 Insufficient cpu."),
                waiting("ErrImagePull"),
            ],
            "ImagePull",
            (),
            id="what-a-person-mends-first",
        ),
    ],
)
def test_pods_that_cannot_run(
    pods: list[dict[str, Any]], reason: str, words: tuple[str, ...]
) -> None:
    is_admitted, told, sentence = asked(Parts(pods=pods))
    assert (is_admitted, told) == (False, reason)
    assert all(word in sentence for word in words), sentence


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (
            "0/3 nodes are available: 1 Insufficient memory, 3 Insufficient nvidia.com/gpu. "
            "preemption: 0/3 nodes are available: 3 No preemption victims found.",
            "of 3 nodes 1 has too little free memory, 3 have too few free GPUs (nvidia.com/gpu)",
        ),
        (
            "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.",
            "of 2 nodes 2 do not have the labels of the pool",
        ),
        (
            "0/2 nodes are available: 1 node(s) had untolerated taint {gpu: only}, "
            "1 node(s) were unschedulable.",
            "of 2 nodes 1 has a taint that the pool does not tolerate (gpu), "
            "1 takes no pods (cordoned)",
        ),
        (
            'persistentvolumeclaim "runs" not found',
            "there is no PersistentVolumeClaim 'runs' (cluster.storage.claim); create it",
        ),
        ("0/0 nodes are available: .", "the cluster has no nodes"),
        ("something new", "something new"),
        ("", "the scheduler does not say why"),
    ],
)
def test_the_schedulers_message_in_words(message: str, words: str) -> None:
    assert node_words(message) == words


@pytest.mark.parametrize(
    ("quota", "reason", "words"),
    [
        pytest.param({}, "WaitingForQuota", ("quota of queue 'gpu'",), id="new"),
        pytest.param(
            {"reason": "WaitingForQuota", "message": "4 more needed"},
            "WaitingForQuota",
            ("Waiting for quota of queue 'gpu'", "4 more needed"),
            id="waits",
        ),
        pytest.param(
            {"reason": "ExceedsMaxQuota", "message": "needs 99"},
            "ExceedsMaxQuota",
            ("'gpu' can never hold so much", "needs 99"),
            id="too-much",
        ),
        pytest.param(
            {"reason": "Moonphase", "message": "waxing"},
            "Moonphase",
            ("Moonphase", "waxing"),
            id="unknown-is-passed-on",
        ),
    ],
)
def test_kueue_has_not_admitted_it(
    quota: dict[str, str], reason: str, words: tuple[str, ...]
) -> None:
    is_admitted, told, sentence = asked(suspended(**quota))
    assert (is_admitted, told) == (False, reason)
    assert all(word in sentence for word in words), sentence


def test_kueue_has_admitted_it() -> None:
    live = suspended()
    assert live.workload is not None
    live.workload["status"]["conditions"] = [{"type": "Admitted", "status": "True"}]
    assert asked(live)[0]
