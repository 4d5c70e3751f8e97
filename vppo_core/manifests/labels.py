"""Whose an object is: its labels, its owner, its metadata."""

from typing import Final

from vppo_core.kube.api import KubeObject
from vppo_core.manifests.attempt import AttemptRequest
from vppo_core.spec.job import API_VERSION, KIND

JOB_LABEL: Final = "vppo.io/job"
ATTEMPT_LABEL: Final = "vppo.io/attempt"
ROLE_LABEL: Final = "vppo.io/role"
SPOT_LABEL: Final = "vppo.io/spot"
MANAGER_LABEL: Final = "app.kubernetes.io/managed-by"
MANAGER: Final = "vppo-operator"
QUEUE_LABEL: Final = "kueue.x-k8s.io/queue-name"
PRIORITY_LABEL: Final = "kueue.x-k8s.io/priority-class"


def attempt_labels(request: AttemptRequest) -> dict[str, str]:
    """Labels of everything that belongs to an attempt; with the job's and attempt's they select
    its pods."""
    return {
        JOB_LABEL: request.job.metadata.name,
        ATTEMPT_LABEL: str(request.index),
        MANAGER_LABEL: MANAGER,
    }


def pod_selector(request: AttemptRequest) -> dict[str, str]:
    """The pods of the attempt, and no others of the namespace."""
    return {JOB_LABEL: request.job.metadata.name, ATTEMPT_LABEL: str(request.index)}


def metadata_of(request: AttemptRequest, **more_labels: str) -> KubeObject:
    """Metadata of an object of the attempt; it goes when its VPPOJob goes."""
    return {
        "name": request.name,
        "namespace": request.namespace,
        "labels": {**attempt_labels(request), **more_labels},
        "ownerReferences": [
            {
                "apiVersion": API_VERSION,
                "kind": KIND,
                "name": request.job.metadata.name,
                "uid": request.uid,
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ],
    }
