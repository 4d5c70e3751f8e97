"""The ConfigMap of an attempt: all that a driver is told, as files."""

import json
from typing import Final

from vppo_core.kube.api import KubeObject
from vppo_core.manifests.attempt import TOKEN_MOUNT, TOKEN_NAME, AttemptRequest
from vppo_core.manifests.labels import metadata_of
from vppo_core.spec.cluster import SPEC_MOUNT
from vppo_core.spec.job import ObjectMeta, VPPOJob
from vppo_core.spec.loading import job_text
from vppo_core.spec.origin import request_of

CA_FILE: Final = "ca.crt"


def config_map(request: AttemptRequest) -> KubeObject:
    """The ConfigMap with `job.json`, `attempt.json` and, if there is one, `ca.crt`.

    It is the only way that text of a user takes into a pod, and it cannot be changed.
    """
    data = {"job.json": job_text(told_job(request)), "attempt.json": attempt_text(request)}
    if request.ca:
        data[CA_FILE] = request.ca
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata_of(request),
        "immutable": True,
        "data": data,
    }


def told_job(request: AttemptRequest) -> VPPOJob:
    """The job as its driver gets it: with the platform's MLflow where it names none.

    Labels and annotations stay behind; they may be larger than a ConfigMap.
    """
    job = request.job
    spec = job.spec
    if not spec.tracking.mlflow_uri:
        tracking = spec.tracking.model_copy(update={"mlflow_uri": request.cluster.mlflow_uri})
        spec = spec.model_copy(update={"tracking": tracking})
    metadata = ObjectMeta(name=job.metadata.name, namespace=job.metadata.namespace)
    return VPPOJob(metadata=metadata, spec=spec)


def attempt_text(request: AttemptRequest) -> str:
    """`attempt.json`, as `vppo_core.runs.protocol.AttemptFile` reads it."""
    content = {
        "job": request.job.metadata.name,
        "namespace": request.namespace,
        "uid": request.uid,
        "attempt": request.index,
        "output": request.output,
        "receiver": request.cluster.receiver.url,
        "tokenFile": f"{TOKEN_MOUNT}/{TOKEN_NAME}",
        "caFile": f"{SPEC_MOUNT}/{CA_FILE}" if request.ca else "",
    }
    origin = request_of(request.job.metadata.annotations)
    if origin:
        content["request"] = origin
    return json.dumps(content, indent=2) + "\n"
