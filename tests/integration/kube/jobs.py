"""VPPOJobs for operators, what becomes of them, and what a test plays of KubeRay."""

import json
from typing import Any

from tests.integration.kube.server import ApiServer
from vppo_core.kube.api import KubeApi, KubeObject
from vppo_core.kube.kinds import RAY_JOBS, VPPO_JOBS, Kind


def submit(kube: KubeApi, namespace: str, name: str = "demo", **spec: Any) -> KubeObject:
    """Create a VPPOJob."""
    whole = {"model": {"source": "org/model"}, "data": {"source": "org/data"}, **spec}
    return kube.create(
        VPPO_JOBS,
        {
            "apiVersion": VPPO_JOBS.api_version,
            "kind": VPPO_JOBS.name,
            "metadata": {"name": name, "namespace": namespace},
            "spec": whole,
        },
    )


def status_of(kube: KubeApi, namespace: str, name: str = "demo") -> dict[str, Any]:
    """Its status; empty while there is none."""
    found: dict[str, Any] = (kube.get(VPPO_JOBS, namespace, name) or {}).get("status") or {}
    return found


def phase_of(kube: KubeApi, namespace: str, name: str = "demo") -> str:
    """Its phase; empty while nobody looked at it."""
    return str(status_of(kube, namespace, name).get("phase") or "")


def phases(kube: KubeApi, namespace: str) -> dict[str, str]:
    """Phases of all jobs by name."""
    jobs = kube.list(VPPO_JOBS, namespace)
    return {one["metadata"]["name"]: one.get("status", {}).get("phase", "") for one in jobs}


def play(kube: KubeApi, namespace: str, ray_job: str, job: str, deployment: str) -> None:
    """What KubeRay would write into the status of a RayJob."""
    status = {"jobStatus": job, "jobDeploymentStatus": deployment, "jobId": ray_job}
    kube.patch(RAY_JOBS, namespace, ray_job, {"status": status}, subresource="status")


def names(kube: KubeApi, kind: Kind, namespace: str) -> list[str]:
    """Of all objects of a kind."""
    return sorted(one["metadata"]["name"] for one in kube.list(kind, namespace))


def now_of(server: ApiServer, kind: Kind) -> str:
    """Resource version of the moment."""
    with server.http() as http:
        return str(http.get(kind.path()).json()["metadata"]["resourceVersion"])


def born(server: ApiServer, kind: Kind, since: str) -> list[tuple[str, str]]:
    """Namespace and name of every object that was made since a moment, those gone again included.

    A name stands there as often as an object of that name was made.
    """
    made = [one["object"]["metadata"] for one in watched(server, kind, since, "ADDED")]
    return sorted((one["namespace"], one["name"]) for one in made)


def watched(server: ApiServer, kind: Kind, since: str, *types: str) -> list[dict[str, Any]]:
    """Events of a kind since a moment, in the order in which they happened; takes a second."""
    query = {"watch": "true", "resourceVersion": since, "timeoutSeconds": "1"}
    with server.http() as http:
        text = http.get(kind.path(), params=query, timeout=30.0).text
    events = [json.loads(line) for line in text.splitlines()]
    return [one for one in events if one["type"] in types]
