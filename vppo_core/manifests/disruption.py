"""The PodDisruptionBudget of an attempt: without head or learner nothing of it is left."""

from vppo_core.kube.api import KubeObject
from vppo_core.manifests.attempt import AttemptRequest
from vppo_core.manifests.groups import HEAD, groups_of
from vppo_core.manifests.labels import ROLE_LABEL, metadata_of, pod_selector


def disruption_budget(request: AttemptRequest) -> KubeObject:
    """No head or learner pod may be evicted while the attempt lives.

    A number, not `maxUnavailable`: pods of a RayCluster have no controller that Kubernetes could
    ask how many there should be.
    """
    groups = groups_of(request.job.spec, request.platform)
    learners = sum(group.pods for group in groups if group.role == "learner")
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata_of(request),
        "spec": {
            "minAvailable": 1 + learners,
            "selector": {
                "matchLabels": pod_selector(request),
                "matchExpressions": [
                    {"key": ROLE_LABEL, "operator": "In", "values": [HEAD, "learner"]}
                ],
            },
        },
    }
