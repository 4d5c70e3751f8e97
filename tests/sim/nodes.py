"""Scheduler and kubelets: pods are placed, started, killed, and vanish some time after deletion."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from tests.sim.merge import timestamp
from tests.sim.objects import ObjectStore
from vppo_core.kube.api import KubeObject
from vppo_core.kube.kinds import CONFIG_MAPS, PODS

GPU = "nvidia.com/gpu"


class Nodes:
    """Moves every pod by one stage a step: pending, placed, ready; deleted, gone."""

    def __init__(self, store: ObjectStore, now: Callable[[], datetime]) -> None:
        self._store = store
        self._now = now
        self.gpus: int | None = None
        """GPUs of all nodes; None means as many as are asked for."""

        self.is_full = False
        """Whether no node takes another pod."""

        self.missing_images: set[str] = set()
        self.secrets: set[str] = set()
        """Secrets that exist; pods that want another one do not start."""

        self.stuck: set[str] = set()
        """Nodes that do not answer: their deleted pods stay."""

        self.shutdown_steps = 1
        """Steps from the deletion of a running pod to its end."""

        self._leaving: dict[str, int] = {}

    def step(self) -> None:
        """Let scheduler and kubelets do one round."""
        for pod in self._store.list(PODS):
            if "deletionTimestamp" in pod["metadata"]:
                self._end(pod)
            elif not pod["spec"].get("nodeName"):
                self._place(pod)
            elif pod["status"]["phase"] == "Pending":
                self._start(pod)

    def kill(self, pod: KubeObject, *, reason: str = "Error", exit_code: int = 137) -> None:
        """End a pod's container, as the kernel does when memory is out (`OOMKilled`)."""
        ended = {"reason": reason, "exitCode": exit_code, "finishedAt": timestamp(self._now())}
        state = {"name": "ray", "ready": False, "restartCount": 0, "state": {"terminated": ended}}
        self._say(pod, "Failed", {"Ready": "False"}, containerStatuses=[state])

    def lose(self, pod: KubeObject) -> None:
        """Let the node of a pod vanish, and the pod with it, a taint that evicts it before."""
        note = {
            "type": "DisruptionTarget",
            "status": "True",
            "reason": "DeletionByTaintManager",
            "message": "Taint manager: deleting due to NoExecute taint",
        }
        pod["status"].setdefault("conditions", []).append(note)
        self._store.put(PODS, pod)
        self._store.remove(PODS, pod["metadata"]["namespace"], pod["metadata"]["name"])

    def _end(self, pod: KubeObject) -> None:
        name = pod["metadata"]["name"]
        if pod["spec"].get("nodeName") in self.stuck:
            return
        left = self._leaving.get(name, self.shutdown_steps if is_running(pod) else 0)
        if left <= 0:
            self._leaving.pop(name, None)
            self._store.remove(PODS, pod["metadata"]["namespace"], name)
        else:
            self._leaving[name] = left - 1

    def _place(self, pod: KubeObject) -> None:
        wanted = gpus_of(pod["spec"])
        held = sum(gpus_of(one["spec"]) for one in self._store.list(PODS) if _is_placed(one))
        if self.is_full or (self.gpus is not None and held + wanted > self.gpus):
            message = f"0/3 nodes are available: 3 Insufficient {GPU}."
            self._say(pod, "Pending", {"PodScheduled": "False"}, "Unschedulable", message)
        else:
            pod["spec"]["nodeName"] = f"node-{pod['metadata']['name']}"
            self._say(pod, "Pending", {"PodScheduled": "True"})

    def _start(self, pod: KubeObject) -> None:
        trouble = self._trouble(pod)
        if trouble is None:
            state = {"name": "ray", "ready": True, "restartCount": 0, "state": {"running": {}}}
            conditions = {"PodScheduled": "True", "Ready": "True"}
            self._say(pod, "Running", conditions, containerStatuses=[state])
            return
        reason, message = trouble
        waiting = {"waiting": {"reason": reason, "message": message}}
        image = pod["spec"]["containers"][0]["image"]
        state = {"name": "ray", "ready": False, "restartCount": 0, "state": waiting, "image": image}
        conditions = {"PodScheduled": "True", "Ready": "False"}
        self._say(pod, "Pending", conditions, containerStatuses=[state])

    def _trouble(self, pod: KubeObject) -> tuple[str, str] | None:
        home = pod["metadata"]["namespace"]
        for name in config_maps_of(pod["spec"]):
            if self._store.get(CONFIG_MAPS, home, name) is None:
                return "ContainerCreating", ""
        image = pod["spec"]["containers"][0]["image"]
        if image in self.missing_images:
            was = (pod["status"].get("containerStatuses") or [{}])[0].get("state", {})
            reason = "ImagePullBackOff" if was.get("waiting") else "ErrImagePull"
            return reason, f'Back-off pulling image "{image}": not found'
        for name in _secrets_of(pod["spec"]):
            if name not in self.secrets:
                return "CreateContainerConfigError", f'secret "{name}" not found'
        return None

    def _say(
        self,
        pod: KubeObject,
        phase: str,
        conditions: dict[str, str],
        reason: str = "",
        message: str = "",
        **more: Any,
    ) -> None:
        rows = [{"type": kind, "status": status} for kind, status in conditions.items()]
        if reason:
            rows[0] |= {"reason": reason, "message": message}
        status = {"phase": phase, "conditions": rows, **more}
        if pod.get("status") != status or pod != self._store.get(
            PODS, pod["metadata"]["namespace"], pod["metadata"]["name"]
        ):
            pod["status"] = status
            self._store.put(PODS, pod)


def is_running(pod: KubeObject) -> bool:
    """Whether its containers run, a deleted pod included until it ended."""
    return bool(pod.get("status", {}).get("phase") == "Running")


def gpus_of(pod_spec: dict[str, Any]) -> int:
    """GPUs that a pod asks for."""
    limits = (one.get("resources", {}).get("limits", {}) for one in pod_spec["containers"])
    return sum(int(one.get(GPU, 0)) for one in limits)


def config_maps_of(pod_spec: dict[str, Any]) -> Iterator[str]:
    """ConfigMaps that a pod mounts."""
    for volume in pod_spec.get("volumes") or []:
        if "configMap" in volume:
            yield volume["configMap"]["name"]
        for source in volume.get("projected", {}).get("sources", []):
            if "configMap" in source:
                yield source["configMap"]["name"]


def _secrets_of(pod_spec: dict[str, Any]) -> Iterator[str]:
    for container in pod_spec["containers"]:
        for source in container.get("envFrom") or []:
            if "secretRef" in source and not source["secretRef"].get("optional"):
                yield source["secretRef"]["name"]


def _is_placed(pod: KubeObject) -> bool:
    is_over = pod.get("status", {}).get("phase") in ("Failed", "Succeeded")
    return bool(pod["spec"].get("nodeName")) and not is_over
