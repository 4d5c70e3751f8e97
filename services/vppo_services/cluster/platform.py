"""The platform of a cluster, from the file that API and operator share."""

from pathlib import Path

from vppo_core.errors import InvalidSpecError
from vppo_core.spec.platform import PlatformSpec
from vppo_services.local.platform import load_platform


def load_cluster_platform(path: Path) -> PlatformSpec:
    """The platform in a file that says how attempts become pods.

    Raises:
        InvalidSpecError: one line for each thing that is wrong.
    """
    platform = load_platform(path)
    if platform.cluster is None:
        raise InvalidSpecError(
            f"a cluster's platform file must have the section `cluster`, got none in '{path}'; "
            "write at least cluster.image"
        )
    return platform
