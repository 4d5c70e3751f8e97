"""What a dry run shows is what would be created."""

from tests.unit.core.manifests.attempts import cpu_platform, h100_platform, job_of, request_of
from vppo_core.manifests.attempt import UNKNOWN_UID
from vppo_core.manifests.plan import planned_attempt
from vppo_core.manifests.render import render


def test_the_plan_is_the_first_attempt() -> None:
    job = job_of(activeDeadlineSeconds=600)
    planned = planned_attempt(job, cpu_platform())
    request = request_of(job, cpu_platform(), uid=UNKNOWN_UID, index=1, active_seconds_left=600.0)
    assert planned["objects"] == render(request)


def test_the_plan_says_what_pods_there_would_be() -> None:
    placement = {"learner": {"replicas": 16, "cpus": 8, "gpus": 1}, "reward": {"replicas": 2}}
    planned = planned_attempt(job_of(placement=placement), h100_platform())
    assert planned["head"] == {"cpus": 8, "memoryMib": 32_768}
    groups = {group["role"]: group for group in planned["groups"]}
    assert groups["learner"] == {
        "role": "learner",
        "pool": "h100",
        "pods": 2,
        "processesPerPod": 8,
        "cpusPerPod": 64,
        "gpusPerPod": 8,
        "memoryMibPerPod": 1_048_576,
    }
    assert groups["reward"]["processesPerPod"] == 2


def test_a_job_without_a_name_can_be_planned() -> None:
    planned = planned_attempt(job_of({"name": "", "namespace": ""}), cpu_platform())
    assert planned["objects"][-1]["metadata"]["name"] == "planned-a1"
