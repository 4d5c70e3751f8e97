"""The platform of the simulated cluster."""

from vppo_core.spec.platform import PlatformSpec

IMAGE = "registry.example/vppo:1"


def platform_of(*, kueue: bool = False, queues: tuple[str, ...] = ("default",)) -> PlatformSpec:
    """One pool of eight GPUs, a volume for runs."""
    return PlatformSpec.model_validate(
        {
            "pools": [
                {"name": "gpu", "gpus": 8, "nodes": {"gpusPerNode": 8, "memoryMibPerNode": 65536}},
            ],
            "queues": [{"name": name, "pool": "gpu"} for name in queues],
            "cluster": {
                "image": IMAGE,
                "storage": {"claim": "runs"},
                "receiver": {"url": "https://vppo.example:8443"},
                "kueue": kueue,
            },
        }
    )
