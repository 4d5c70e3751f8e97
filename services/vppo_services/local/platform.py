"""What this machine offers to jobs by itself, and whether it may run them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from vppo_core.errors import InvalidSpecError
from vppo_core.spec.platform import PlatformSpec, PoolOffer
from vppo_core.spec.platform_file import load_platform, parse_platform

__all__ = ["load_platform", "machine_platform", "parse_platform", "refuse_inside_a_cluster"]

CLUSTER_VARIABLE: Final = "KUBERNETES_SERVICE_HOST"
VISIBLE_VARIABLE: Final = "CUDA_VISIBLE_DEVICES"


def machine_platform(environ: Mapping[str, str], *, devices: Path = Path("/dev")) -> PlatformSpec:
    """The platform of a machine that nobody described: one pool with the GPUs that are visible."""
    present = sum(1 for path in devices.glob("nvidia[0-9]*") if path.name[6:].isdigit())
    visible = environ.get(VISIBLE_VARIABLE)
    if visible is not None:
        present = min(present, len([one for one in visible.split(",") if one.strip()]))
    return PlatformSpec(pools=(PoolOffer(name="local", gpus=present),))


def refuse_inside_a_cluster(environ: Mapping[str, str], force: bool) -> None:
    """One namespace has one engine: in a cluster the operator runs jobs, not this program.

    Raises:
        InvalidSpecError: this is a pod of a cluster, and nobody insists.
    """
    host = environ.get(CLUSTER_VARIABLE, "")
    if host and not force:
        raise InvalidSpecError(
            f"jobs must not be started as local processes inside a cluster, got {CLUSTER_VARIABLE} "
            f"'{host}'; let the operator run them, or add --force"
        )
