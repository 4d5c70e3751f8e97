"""KubeRay's controller of RayClusters: pods from templates, and back again when they die."""

import itertools
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from tests.sim.merge import timestamp
from tests.sim.nodes import is_running
from tests.sim.objects import ObjectStore
from vppo_core.kube.api import KubeObject
from vppo_core.kube.kinds import PODS, RAY_CLUSTERS

_names = itertools.count(1)


class RayClusters:
    """Makes a RayCluster's pods, replaces the dead ones, and says whether the cluster is ready."""

    def __init__(self, store: ObjectStore, now: Callable[[], datetime]) -> None:
        self._store = store
        self._now = now

    def step(self) -> None:
        """Look at every RayCluster once."""
        for cluster in self._store.list(RAY_CLUSTERS):
            if "deletionTimestamp" not in cluster["metadata"]:
                self._step(cluster)

    def pods_of(self, cluster: KubeObject) -> list[KubeObject]:
        """Its pods, those that are ending included."""
        head = cluster["metadata"]
        labels = {"ray.io/cluster": head["name"]}
        return list(self._store.list(PODS, head["namespace"], labels=labels))

    def _step(self, cluster: KubeObject) -> None:
        pods = self.pods_of(cluster)
        for pod in pods:
            if pod["status"].get("phase") in ("Failed", "Succeeded"):
                self._store.delete(PODS, pod["metadata"]["namespace"], pod["metadata"]["name"])
        alive = [pod for pod in pods if not _is_over(pod)]
        for group, count, template in _groups(cluster):
            mine = [one for one in alive if one["metadata"]["labels"]["ray.io/group"] == group]
            for _ in range(count - len(mine)):
                self._make(cluster, group, template)
        self._say(cluster, alive)

    def _make(self, cluster: KubeObject, group: str, template: dict[str, Any]) -> None:
        head = cluster["metadata"]
        role = "head" if group == "headgroup" else "worker"
        labels = template.get("metadata", {}).get("labels", {}) | {
            "ray.io/cluster": head["name"],
            "ray.io/node-type": role,
            "ray.io/group": group,
            "ray.io/is-ray-node": "yes",
        }
        self._store.put(
            PODS,
            {
                "metadata": {
                    "name": f"{head['name']}-{group}-{role}-{next(_names):05}",
                    "namespace": head["namespace"],
                    "labels": labels,
                    "annotations": template.get("metadata", {}).get("annotations", {}),
                    "ownerReferences": [owned_by(cluster)],
                },
                "spec": template["spec"],
                "status": {"phase": "Pending"},
            },
        )

    def _say(self, cluster: KubeObject, alive: list[KubeObject]) -> None:
        wanted = sum(count for _, count, _ in _groups(cluster))
        ready = [pod for pod in alive if is_running(pod)]
        heads = [p for p in ready if p["metadata"]["labels"]["ray.io/node-type"] == "head"]
        old = cluster.get("status") or {}
        # Once ready, `state` stays so whatever dies later: the conditions tell.
        is_ready = old.get("state") == "ready" or len(ready) == wanted
        conditions = [
            _condition("HeadPodReady", bool(heads), "HeadPodRunningAndReady", "HeadPodNotFound"),
            _condition("RayClusterProvisioned", is_ready, "AllPodRunningAndReadyFirstTime", "Pods"),
        ]
        status = old | {
            "conditions": conditions,
            "readyWorkerReplicas": len(ready) - len(heads),
            "desiredWorkerReplicas": wanted - 1,
        }
        if is_ready:
            status["state"] = "ready"
        if status != old:
            status["lastUpdateTime"] = timestamp(self._now())
            self._store.put(RAY_CLUSTERS, cluster | {"status": status})


def owned_by(owner: KubeObject) -> dict[str, Any]:
    """A reference to a controlling owner."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _groups(cluster: KubeObject) -> Iterator[tuple[str, int, dict[str, Any]]]:
    spec = cluster["spec"]
    yield "headgroup", 1, spec["headGroupSpec"]["template"]
    for group in spec.get("workerGroupSpecs") or []:
        count = group.get("replicas", 1) * group.get("numOfHosts", 1)
        yield group["groupName"], count, group["template"]


def _is_over(pod: KubeObject) -> bool:
    is_ended = pod["status"].get("phase") in ("Failed", "Succeeded")
    return is_ended or "deletionTimestamp" in pod["metadata"]


def _condition(kind: str, holds: bool, reason: str, otherwise: str) -> dict[str, str]:
    return {
        "type": kind,
        "status": "True" if holds else "False",
        "reason": reason if holds else otherwise,
    }
