"""RayJobs of a world as the operator made them."""

from tests.sim.world import World
from vppo_core.kube.api import KubeObject
from vppo_core.kube.kinds import RAY_JOBS


def rendered(world: World) -> list[KubeObject]:
    """All that were ever made, as they were then."""
    return [one.object for one in world.everything if one.kind == RAY_JOBS and one.type == "ADDED"]


def templates(job: KubeObject) -> list[KubeObject]:
    """Its pod templates."""
    cluster = job["spec"]["rayClusterSpec"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    return [group["template"] for group in groups]
