"""Some of what KubeRay's controller refuses and its CustomResourceDefinition does not."""

import re
from typing import Any

_DNS_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")


def wrong_with(name: str, spec: dict[str, Any]) -> str:
    """The first rule that a RayJob breaks; empty where it breaks none."""
    shuts_down = bool(spec.get("shutdownAfterJobFinishes"))
    limits = ("minReplicas", "maxReplicas")
    groups = spec["rayClusterSpec"].get("workerGroupSpecs") or []
    rules = {
        "the name must be a DNS-1035 label of at most 47 characters": (
            len(name) <= 47 and _DNS_1035.fullmatch(name)
        ),
        "submissionMode must be known": (
            spec.get("submissionMode", "K8sJobMode") in ("K8sJobMode", "HTTPMode", "SidecarMode")
        ),
        "suspend needs shutdownAfterJobFinishes": not spec.get("suspend") or shuts_down,
        "a TTL needs shutdownAfterJobFinishes": not spec.get("ttlSecondsAfterFinished")
        or shuts_down,
        "worker groups need both replica limits": all(
            limit in group for group in groups for limit in limits
        ),
    }
    return next((rule for rule, holds in rules.items() if not holds), "")
