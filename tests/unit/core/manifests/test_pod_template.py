"""Every pod of an attempt is locked up, finds its files, and is put where the platform says."""

from typing import Any

import pytest

from tests.unit.core.manifests.attempts import cpu_platform, h100_platform, job_of, request_of
from vppo_core.manifests.attempt import AttemptRequest
from vppo_core.manifests.rayjob import ray_job
from vppo_core.spec.job import VPPOJob
from vppo_core.spec.platform import PlatformSpec

GPU_JOB = job_of(
    placement={"learner": {"replicas": 4, "cpus": 8, "gpus": 1}, "objectStoreMib": 8192}
)


def templates(request: AttemptRequest) -> dict[str, dict[str, Any]]:
    """Templates by role."""
    cluster = ray_job(request)["spec"]["rayClusterSpec"]
    found = {"head": cluster["headGroupSpec"]["template"]}
    return found | {g["groupName"]: g["template"] for g in cluster["workerGroupSpecs"]}


def pods(job: VPPOJob, platform: PlatformSpec) -> dict[str, dict[str, Any]]:
    found = templates(request_of(job, platform))
    return {role: template["spec"] for role, template in found.items()}


def container(pod: dict[str, Any]) -> dict[str, Any]:
    [only] = pod["containers"]
    found: dict[str, Any] = only
    return found


def volume(pod: dict[str, Any], name: str) -> dict[str, Any]:
    [found] = [one for one in pod["volumes"] if one["name"] == name]
    return {kind: value for kind, value in found.items() if kind != "name"}


def environment(pod: dict[str, Any]) -> dict[str, str]:
    listed = container(pod)["env"]
    found = {one["name"]: one["value"] for one in listed}
    assert len(found) == len(listed)
    return found


@pytest.mark.parametrize("role", ["head", "rollout", "reward", "dependency", "learner"])
def test_every_pod_is_locked_up(role: str) -> None:
    pod = pods(GPU_JOB, h100_platform())[role]
    assert pod["automountServiceAccountToken"] is False
    assert pod["serviceAccountName"] == "vppo-job"
    security = pod["securityContext"]
    assert security["runAsNonRoot"] is True
    assert (security["runAsUser"], security["fsGroup"]) == (1000, 1000)
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    inner = container(pod)["securityContext"]
    assert inner == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["terminationGracePeriodSeconds"] > GPU_JOB.spec.scheduling.stop_grace_seconds
    command = container(pod)["lifecycle"]["preStop"]["exec"]["command"]
    assert command == ["python", "-m", "vppo_services.driver.drain"]


@pytest.mark.parametrize("role", ["head", "rollout", "reward", "dependency", "learner"])
def test_every_pod_is_labelled_with_job_attempt_and_role(role: str) -> None:
    labels = templates(request_of(GPU_JOB, cpu_platform()))[role]["metadata"]["labels"]
    assert labels == {
        "vppo.io/job": "demo",
        "vppo.io/attempt": "2",
        "vppo.io/role": role,
        "app.kubernetes.io/managed-by": "vppo-operator",
    }


def test_only_the_head_has_a_token_and_it_is_for_the_receiver() -> None:
    found = pods(GPU_JOB, cpu_platform())
    [source] = volume(found["head"], "token")["projected"]["sources"]
    assert source["serviceAccountToken"]["audience"] == "vppo:team/demo"
    names = {role: {one["name"] for one in pod["volumes"]} for role, pod in found.items()}
    assert [role for role, volumes in names.items() if "token" in volumes] == ["head"]


def test_what_is_mounted_is_a_volume_and_what_is_written_can_be() -> None:
    for pod in pods(GPU_JOB, cpu_platform()).values():
        mounts = {one["name"]: one for one in container(pod)["volumeMounts"]}
        assert mounts.keys() == {one["name"] for one in pod["volumes"]}
        writable = {m["mountPath"] for m in mounts.values() if not m.get("readOnly")}
        assert writable == {"/var/lib/vppo", "/dev/shm", "/tmp"}
        variables = environment(pod)
        for name in ("HOME", "TMPDIR", "VPPO_CACHE", "HF_HOME"):
            assert variables[name].startswith(("/var/lib/vppo/", "/tmp"))


def test_state_lies_on_the_claim_or_dies_with_the_pod() -> None:
    on_claim = pods(GPU_JOB, cpu_platform())["learner"]
    assert volume(on_claim, "state") == {"persistentVolumeClaim": {"claimName": "vppo-state"}}
    without = pods(GPU_JOB, cpu_platform(storage={}))["learner"]
    assert volume(without, "state") == {"emptyDir": {}}


def test_shared_memory_holds_the_object_store() -> None:
    def size(job: VPPOJob, platform: PlatformSpec, role: str) -> str:
        limit: str = volume(pods(job, platform)[role], "shm")["emptyDir"]["sizeLimit"]
        return limit

    assert size(GPU_JOB, h100_platform(), "learner") == "65536Mi"  # what the pool has
    assert size(GPU_JOB, h100_platform(), "head") == "8448Mi"  # what the job needs
    assert size(GPU_JOB, h100_platform(), "reward") == f"{1228 + 256}Mi"  # what its 4 GiB bear
    assert size(job_of(), cpu_platform(), "head") == "1024Mi"


def test_gpus_are_limits_and_requests_and_the_rest_is_shared() -> None:
    learner = container(pods(GPU_JOB, h100_platform())["learner"])["resources"]
    whole = {"cpu": "32", "memory": "524288Mi", "nvidia.com/gpu": "4"}
    assert learner == {"requests": whole, "limits": whole}
    small = container(pods(job_of(), cpu_platform())["learner"])["resources"]
    assert small == {
        "requests": {"cpu": "250m", "memory": "512Mi"},
        "limits": {"cpu": "1", "memory": "2048Mi"},
    }


def test_pods_go_where_their_pool_is() -> None:
    found = pods(GPU_JOB, h100_platform())
    assert found["learner"]["nodeSelector"] == {"gpu.example/model": "h100"}
    assert found["learner"]["tolerations"] == [
        {"key": "nvidia.com/gpu", "effect": "NoSchedule", "operator": "Exists"}
    ]
    assert found["learner"]["runtimeClassName"] == "nvidia"
    assert found["learner"]["priorityClassName"] == "training"
    assert found["learner"]["imagePullSecrets"] == [{"name": "registry"}]
    for role in ("head", "reward"):  # on the pool of CPUs, of which the platform says no more
        placed = {"nodeSelector", "tolerations", "runtimeClassName", "priorityClassName"}
        assert not placed & found[role].keys()


def test_pods_on_spot_nodes_say_so() -> None:
    found = templates(request_of(GPU_JOB, h100_platform()))
    spot = [role for role, one in found.items() if "vppo.io/spot" in one["metadata"]["labels"]]
    assert spot == ["learner"]


def test_the_environment_is_the_platforms_and_a_secret_of_the_job() -> None:
    platform = cpu_platform(env={"HF_HOME": "/models", "NCCL_DEBUG": "WARN"})
    job = job_of(placement={"secret": "hub-token", "learner": {"cpus": 3}})
    learner = pods(job, platform)["learner"]
    variables = environment(learner)
    assert (variables["HF_HOME"], variables["NCCL_DEBUG"]) == ("/models", "WARN")
    assert variables["OMP_NUM_THREADS"] == "3"
    assert variables["RAY_USAGE_STATS_ENABLED"] == "0"
    assert container(learner)["envFrom"] == [{"secretRef": {"name": "hub-token"}}]
    assert "envFrom" not in container(pods(job_of(), platform)["learner"])


def test_metrics_of_the_driver_have_a_port() -> None:
    def ports(job: VPPOJob) -> dict[str, int]:
        listed = container(pods(job, cpu_platform())["head"])["ports"]
        return {one["name"]: one["containerPort"] for one in listed}

    assert ports(job_of())["driver"] == 9464
    assert ports(job_of(tracking={"metricsPort": 9999}))["driver"] == 9999
    assert ports(job_of()).items() >= {"dashboard": 8265, "metrics": 8080}.items()
