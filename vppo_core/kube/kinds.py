"""The kinds of objects that are read or written, and their paths."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind as the API server serves it."""

    group: str
    """Empty for the core group."""

    version: str
    plural: str
    name: str
    is_namespaced: bool = True

    @property
    def api_version(self) -> str:
        """As objects write it: `ray.io/v1`, `v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def root(self) -> str:
        """Path of the kind's group and version."""
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """Path of all objects, those of a namespace, one, or a part of one."""
        parts = [self.root]
        if namespace and self.is_namespaced:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        parts += [part for part in (name, subresource) if part]
        return "/".join(parts)


VPPO_JOBS: Final = Kind("vppo.io", "v1alpha1", "vppojobs", "VPPOJob")
RAY_JOBS: Final = Kind("ray.io", "v1", "rayjobs", "RayJob")
RAY_CLUSTERS: Final = Kind("ray.io", "v1", "rayclusters", "RayCluster")
WORKLOADS: Final = Kind("kueue.x-k8s.io", "v1beta2", "workloads", "Workload")
LOCAL_QUEUES: Final = Kind("kueue.x-k8s.io", "v1beta2", "localqueues", "LocalQueue")
PODS: Final = Kind("", "v1", "pods", "Pod")
CONFIG_MAPS: Final = Kind("", "v1", "configmaps", "ConfigMap")
NAMESPACES: Final = Kind("", "v1", "namespaces", "Namespace", is_namespaced=False)
EVENTS: Final = Kind("events.k8s.io", "v1", "events", "Event")
LEASES: Final = Kind("coordination.k8s.io", "v1", "leases", "Lease")
NETWORK_POLICIES: Final = Kind("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy")
DISRUPTION_BUDGETS: Final = Kind("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget")
TOKEN_REVIEWS: Final = Kind(
    "authentication.k8s.io", "v1", "tokenreviews", "TokenReview", is_namespaced=False
)
ACCESS_REVIEWS: Final = Kind(
    "authorization.k8s.io", "v1", "subjectaccessreviews", "SubjectAccessReview", is_namespaced=False
)
CUSTOM_RESOURCES: Final = Kind(
    "apiextensions.k8s.io",
    "v1",
    "customresourcedefinitions",
    "CustomResourceDefinition",
    is_namespaced=False,
)
