"""The RayJob against what KubeRay and Kueue make of it."""

import json
import shlex
from typing import Any

import pytest

from tests.unit.core.manifests.attempts import (
    UID,
    cpu_platform,
    h100_platform,
    job_of,
    request_of,
)
from vppo_core.lifecycle.names import MAX_INDEX
from vppo_core.manifests.rayjob import ray_job
from vppo_core.manifests.render import PARTS, kind_of, render

PLACEMENT = {
    "rollout": {"replicas": 3, "cpus": 8, "gpus": 1},
    "learner": {"replicas": 16, "cpus": 8, "gpus": 1},
}


def groups(rendered: dict[str, Any]) -> dict[str, dict[str, Any]]:
    cluster = rendered["spec"]["rayClusterSpec"]
    return {group["groupName"]: group for group in cluster["workerGroupSpecs"]}


def test_kuberay_tries_once_and_clears_up() -> None:
    spec = ray_job(request_of(job_of(), cpu_platform()))["spec"]
    assert spec["submissionMode"] == "HTTPMode"
    assert spec["entrypoint"] == "python -m vppo_services.driver"
    assert spec["backoffLimit"] == 0
    assert spec["shutdownAfterJobFinishes"] is True
    assert spec["ttlSecondsAfterFinished"] == 60
    assert spec["preRunningDeadlineSeconds"] == 1800
    assert not {"suspend", "deletionStrategy", "runtimeEnvYAML", "jobId"} & spec.keys()
    assert spec["rayClusterSpec"]["rayVersion"] == "2.60.0"


def test_the_deadline_of_kuberay_stands_behind_ours() -> None:
    job, platform = job_of(scheduling={"stopGraceSeconds": 100}), cpu_platform()
    assert "activeDeadlineSeconds" not in ray_job(request_of(job, platform))["spec"]

    def deadline(left: float) -> int:
        spec = ray_job(request_of(job, platform, active_seconds_left=left))["spec"]
        seconds: int = spec["activeDeadlineSeconds"]
        return seconds

    assert deadline(3600.5) == 3601 + 1800 + 100 + 300
    assert deadline(-5.0) == 1800 + 100 + 300
    assert deadline(2.0**31) == 2**31 - 1


def test_groups_have_a_fixed_size_and_ray_is_told_what_they_have() -> None:
    found = groups(ray_job(request_of(job_of(placement=PLACEMENT), h100_platform())))
    assert list(found) == ["rollout", "reward", "dependency", "learner"]
    learner = found["learner"]
    assert {learner[name] for name in ("replicas", "minReplicas", "maxReplicas")} == {2}
    parameters = learner["rayStartParams"]
    assert (parameters["num-cpus"], parameters["num-gpus"]) == ("64", "8")
    assert parameters["object-store-memory"] == str(256 * 2**20)
    assert found["rollout"]["rayStartParams"]["num-gpus"] == "3"


def test_the_object_store_leaves_memory_to_the_processes() -> None:
    job = job_of(placement=PLACEMENT | {"objectStoreMib": 8192})
    rendered = ray_job(request_of(job, h100_platform(head={"cpus": 1, "memoryMib": 200})))
    sizes = {
        name: int(group["rayStartParams"]["object-store-memory"]) // 2**20
        for name, group in groups(rendered).items()
    }
    assert sizes == {"learner": 8192, "rollout": 8192, "reward": 1228, "dependency": 1228}
    head = rendered["spec"]["rayClusterSpec"]["headGroupSpec"]
    assert head["rayStartParams"]["object-store-memory"] == str(80 * 2**20)


def test_resources_are_read_by_kuberay_and_by_ray_behind_its_shell() -> None:
    found = groups(ray_job(request_of(job_of(placement=PLACEMENT), h100_platform())))
    for role, processes in {"rollout": 3, "learner": 8, "reward": 1}.items():
        value = found[role]["rayStartParams"]["resources"]
        assert json.loads(value.strip("'\"` ")) == {f"vppo_{role}": processes}  # as KubeRay does
        line = f"ray start --resources={value} --block"
        [_, _, words, _] = shlex.split(line)
        assert json.loads(words.removeprefix("--resources=")) == {f"vppo_{role}": processes}


def test_the_head_runs_no_process_of_a_role() -> None:
    head = ray_job(request_of(job_of(), cpu_platform()))["spec"]["rayClusterSpec"]["headGroupSpec"]
    assert head["rayStartParams"]["num-cpus"] == "0"
    assert head["rayStartParams"]["num-gpus"] == "0"
    assert "resources" not in head["rayStartParams"]


@pytest.mark.parametrize(
    ("kueue", "priority", "labels"),
    [
        (True, "", {"kueue.x-k8s.io/queue-name": "research"}),
        (
            True,
            "high",
            {
                "kueue.x-k8s.io/queue-name": "research",
                "kueue.x-k8s.io/priority-class": "high",
            },
        ),
        (True, "gone", {"kueue.x-k8s.io/queue-name": "research"}),
        (False, "high", {}),
    ],
)
def test_kueue_is_asked_by_labels_of_the_ray_job_alone(
    kueue: bool, priority: str, labels: dict[str, str]
) -> None:
    objects = render(request_of(job_of(priority=priority), h100_platform(kueue=kueue)))
    text = json.dumps(objects[:-1]) + json.dumps(objects[-1]["spec"])
    assert "kueue" not in text
    found = objects[-1]["metadata"]["labels"]
    assert {name: value for name, value in found.items() if "kueue" in name} == labels


def test_all_objects_are_owned_by_the_job_and_labelled() -> None:
    objects = render(request_of(job_of(), h100_platform()))
    assert [kind_of(one) for one in objects] == list(PARTS)
    for one in objects:
        metadata = one["metadata"]
        assert (metadata["name"], metadata["namespace"]) == ("demo-a2", "team")
        assert metadata["ownerReferences"] == [
            {
                "apiVersion": "vppo.io/v1alpha1",
                "kind": "VPPOJob",
                "name": "demo",
                "uid": UID,
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ]
        assert (
            metadata["labels"].items()
            >= {
                "vppo.io/job": "demo",
                "vppo.io/attempt": "2",
                "app.kubernetes.io/managed-by": "vppo-operator",
            }.items()
        )


def test_policy_and_budget_can_be_left_to_the_platform() -> None:
    platform = cpu_platform(networkPolicy=False, disruptionBudget=False)
    objects = render(request_of(job_of(), platform))
    assert [one["kind"] for one in objects] == ["ConfigMap", "RayJob"]


def test_the_longest_name_is_one_that_kuberay_takes() -> None:
    job = job_of({"name": "a" * 40})
    rendered = ray_job(request_of(job, cpu_platform(), index=MAX_INDEX))
    assert len(rendered["metadata"]["name"]) <= 47


def test_rendering_twice_gives_the_same() -> None:
    request = request_of(job_of(), h100_platform())
    assert render(request) == render(request)
    assert json.loads(json.dumps(render(request))) == render(request)
