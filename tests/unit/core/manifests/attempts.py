"""Platforms, jobs and attempts that tests of the manifests share."""

from pathlib import Path
from typing import Any

from vppo_core.manifests.attempt import AttemptRequest
from vppo_core.spec.job import VPPOJob
from vppo_core.spec.loading import load_job
from vppo_core.spec.platform import PlatformSpec

ROOT = Path(__file__).parents[4]
UID = "5f1c0a3e-8f3a-4f0b-9d5e-0a1b2c3d4e5f"
DIGEST = "sha256:" + "0" * 64


def cpu_platform(**cluster: Any) -> PlatformSpec:
    """One small kind of node, no Kueue, a shared volume."""
    return PlatformSpec.model_validate(
        {
            "pools": [
                {
                    "name": "cpu",
                    "nodes": {"cpusPerNode": 4, "memoryMibPerNode": 8192, "cpuRequestShare": 0.25},
                }
            ],
            "queues": [{"name": "default", "pool": "cpu"}],
            "cluster": {
                "image": "vppo:test",
                "storage": {"claim": "vppo-state"},
                "head": {"cpus": 1, "memoryMib": 2048},
                **cluster,
            },
        }
    )


def h100_platform(**cluster: Any) -> PlatformSpec:
    """Nodes of eight H100 in a Kueue queue, a pool of CPUs beside them, S3 for checkpoints."""
    return PlatformSpec.model_validate(
        {
            "pools": [
                {
                    "name": "h100",
                    "gpus": 32,
                    "gpuType": "H100-80GB",
                    "nodes": {
                        "nodeSelector": {"gpu.example/model": "h100"},
                        "tolerations": [{"key": "nvidia.com/gpu", "effect": "NoSchedule"}],
                        "gpusPerNode": 8,
                        "cpusPerNode": 96,
                        "memoryMibPerNode": 1_048_576,
                        "shmMib": 65_536,
                        "runtimeClass": "nvidia",
                        "priorityClass": "training",
                        "spot": True,
                    },
                },
                {"name": "cpu", "nodes": {"cpusPerNode": 16, "memoryMibPerNode": 65_536}},
            ],
            "queues": [{"name": "research", "pool": "h100"}],
            "cluster": {
                "image": f"registry.example/vppo-gpu@{DIGEST}",
                "imagePullSecrets": ["registry"],
                "serviceAccount": "vppo-job",
                "cpuPool": "cpu",
                "head": {"cpus": 8, "memoryMib": 32_768},
                "receiver": {"url": "https://vppo-operator.vppo.svc:8443"},
                "mlflowUri": "http://mlflow.mlflow.svc:5000",
                "kueue": True,
                "env": {"NCCL_DEBUG": "WARN"},
                **cluster,
            },
        }
    )


def job_file(name: str, *overrides: str, namespace: str = "team") -> VPPOJob:
    """A job of helm/examples."""
    text = (ROOT / "helm" / "examples" / f"{name}.yaml").read_text()
    job = load_job(text, overrides)
    metadata = job.metadata.model_copy(update={"namespace": namespace})
    return job.model_copy(update={"metadata": metadata})


def job_of(metadata: dict[str, Any] | None = None, **sections: Any) -> VPPOJob:
    """A small job; sections on the wire names."""
    spec = {"model": {"source": "m"}, "data": {"source": "d"}, **sections}
    identity = {"name": "demo", "namespace": "team", **(metadata or {})}
    return VPPOJob.model_validate({"metadata": identity, "spec": spec})


def request_of(job: VPPOJob, platform: PlatformSpec, **more: Any) -> AttemptRequest:
    """The second attempt."""
    return AttemptRequest(**({"job": job, "uid": UID, "index": 2, "platform": platform} | more))
