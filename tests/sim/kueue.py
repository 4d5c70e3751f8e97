"""Kueue for RayJobs: its webhook suspends them, its controller admits, evicts and lets them go."""

import hashlib
from collections.abc import Callable
from datetime import datetime
from typing import Any

from tests.sim.merge import timestamp
from tests.sim.nodes import gpus_of
from tests.sim.objects import ObjectStore
from tests.sim.raycluster import owned_by
from vppo_core.kube.api import KubeObject
from vppo_core.kube.kinds import RAY_JOBS, WORKLOADS

QUEUE = "kueue.x-k8s.io/queue-name"
PRIORITY = "kueue.x-k8s.io/priority-class"
FINALIZER = "kueue.x-k8s.io/resource-in-use"


class Kueue:
    """Admits RayJobs that carry a queue's name, all or nothing, by priority and then age."""

    def __init__(self, store: ObjectStore, now: Callable[[], datetime]) -> None:
        self._store = store
        self._now = now
        self.quota = 8
        """GPUs of the ClusterQueue; a job without GPUs counts as one."""

        self.queues = {"default"}
        """LocalQueues that exist."""

        self.priorities: dict[str, int] = {}
        """WorkloadPriorityClasses."""

        store.admission.setdefault(RAY_JOBS, []).append(self._webhook)

    def step(self) -> None:
        """Look at every RayJob and Workload once."""
        jobs = {job["metadata"]["uid"]: job for job in self._store.list(RAY_JOBS)}
        for job in jobs.values():
            if self._queue_of(job) and "deletionTimestamp" not in job["metadata"]:
                self._follow(job)
        for workload in self._store.list(WORKLOADS):
            if _owner(workload) not in jobs:
                self._store.remove(WORKLOADS, _home(workload), workload["metadata"]["name"])
        self._preempt()
        self._admit()

    def evict(self, job: str, *, reason: str = "Preempted", namespace: str = "default") -> None:
        """Take back the quota of a RayJob, with a reason of Kueue's."""
        workload = self.workload_of(namespace, job)
        assert workload is not None, f"{job} has no workload"
        message = f"{reason} to accommodate a workload in the ClusterQueue"
        self._set(workload, "Evicted", True, reason, message)
        if reason == "Preempted":
            self._set(workload, "Preempted", True, "InClusterQueue", message)
        self._set(workload, "QuotaReserved", False, "Pending", message)
        self._set(workload, "Admitted", False, "NoReservation", message)
        self._store.put(WORKLOADS, workload)
        self._store.patch(RAY_JOBS, namespace, job, {"spec": {"suspend": True}})

    def workload_of(self, namespace: str, job: str) -> KubeObject | None:
        """The Workload of a RayJob."""
        return self._store.get(WORKLOADS, namespace, _name(job))

    def _webhook(self, old: KubeObject | None, new: KubeObject) -> None:
        if old is None and self._queue_of(new):
            new["spec"]["suspend"] = True

    def _queue_of(self, job: KubeObject) -> str:
        return str((job["metadata"].get("labels") or {}).get(QUEUE, ""))

    def _follow(self, job: KubeObject) -> None:
        workload = self.workload_of(job["metadata"]["namespace"], job["metadata"]["name"])
        if workload is None:
            workload = self._make(job)
        status = job.get("status", {})
        if status.get("jobDeploymentStatus") in ("Complete", "Failed"):
            is_good = status.get("jobStatus") == "SUCCEEDED"
            reason = "Succeeded" if is_good else "Failed"
            if self._set(workload, "Finished", True, reason, status.get("message", "")):
                self._store.put(WORKLOADS, workload)
        elif workload["spec"].get("active") is False and _is(workload, "Admitted"):
            self.evict(job["metadata"]["name"], reason="Deactivated", namespace=_home(job))

    def _make(self, job: KubeObject) -> KubeObject:
        head = job["metadata"]
        body = {
            "metadata": {
                "name": _name(head["name"]),
                "namespace": head["namespace"],
                "labels": {"kueue.x-k8s.io/job-uid": head["uid"]},
                "ownerReferences": [owned_by(job)],
                "finalizers": [FINALIZER],
            },
            "spec": {"queueName": self._queue_of(job), "active": True},
            "status": {"conditions": []},
        }
        return self._store.put(WORKLOADS, body)

    def _admit(self) -> None:
        """The line of those that wait: each gets quota, or is told why not."""
        for workload, job in self._line():
            queue, wanted = workload["spec"]["queueName"], _gpus(job)
            if queue not in self.queues:
                reason, message = "Misconfigured", f"LocalQueue {queue} doesn't exist"
            elif wanted > self.quota:
                reason = "ExceedsMaxQuota"
                message = f"couldn't assign flavors: needs {wanted} GPUs, the quota is {self.quota}"
            elif wanted > self.quota - self._held():
                reason = "WaitingForQuota"
                free = self.quota - self._held()
                message = f"insufficient unused quota for nvidia.com/gpu, {wanted - free} more need"
            elif _is(workload, "Evicted") and not _is_asleep(job):
                continue
            else:
                self._let_in(workload, job)
                continue
            if self._set(workload, "QuotaReserved", False, reason, message):
                self._store.put(WORKLOADS, workload)

    def _let_in(self, workload: KubeObject, job: KubeObject) -> None:
        message = "Quota reserved in ClusterQueue gpu"
        self._set(workload, "QuotaReserved", True, "QuotaReserved", message)
        self._set(workload, "Admitted", True, "Admitted", "The workload is admitted")
        for old in ("Evicted", "Preempted"):
            self._set(workload, old, False, "QuotaReserved", message)
        self._store.put(WORKLOADS, workload)
        name = job["metadata"]["name"]
        self._store.patch(RAY_JOBS, _home(job), name, {"spec": {"suspend": False}})

    def _preempt(self) -> None:
        """A waiting workload of higher priority takes the quota of lower ones."""
        for workload, job in self._line():
            wanted = _gpus(job)
            if wanted > self.quota or workload["spec"]["queueName"] not in self.queues:
                continue
            lower = [one for one in self._holders() if self._rank(one) < self._rank(job)]
            lower.sort(key=self._rank)
            while lower and wanted > self.quota - self._held():
                self.evict(lower[0]["metadata"]["name"], namespace=_home(lower.pop(0)))

    def _line(self) -> list[tuple[KubeObject, KubeObject]]:
        waiting = []
        for job in self._store.list(RAY_JOBS):
            workload = self.workload_of(_home(job), job["metadata"]["name"])
            if workload is None or _is(workload, "Admitted") or _is(workload, "Finished"):
                continue
            if workload["spec"].get("active") is False or "deletionTimestamp" in job["metadata"]:
                continue
            waiting.append((workload, job))
        return sorted(waiting, key=lambda pair: (-self._rank(pair[1]), _age(pair[1])))

    def _holders(self) -> list[KubeObject]:
        held = []
        for job in self._store.list(RAY_JOBS):
            workload = self.workload_of(_home(job), job["metadata"]["name"])
            if workload and _is(workload, "Admitted") and not _is(workload, "Finished"):
                held.append(job)
        return held

    def _held(self) -> int:
        return sum(_gpus(job) for job in self._holders())

    def _rank(self, job: KubeObject) -> int:
        return self.priorities.get(job["metadata"].get("labels", {}).get(PRIORITY, ""), 0)

    def _set(self, workload: KubeObject, kind: str, holds: bool, reason: str, message: str) -> bool:
        """Set a condition; whether that changed it."""
        rows = workload.setdefault("status", {}).setdefault("conditions", [])
        old = next((row for row in rows if row["type"] == kind), None)
        new = {"type": kind, "status": str(holds), "reason": reason, "message": message}
        if old is None and not holds and kind != "QuotaReserved":
            return False
        if old is not None and all(old[key] == new[key] for key in new):
            return False
        if old is not None:
            rows.remove(old)
        rows.append(new | {"lastTransitionTime": timestamp(self._now())})
        return True


def _name(job: str) -> str:
    return f"rayjob-{job}-{hashlib.sha256(job.encode()).hexdigest()[:5]}"


def _home(one: KubeObject) -> str:
    return str(one["metadata"]["namespace"])


def _is_asleep(job: KubeObject) -> bool:
    return job.get("status", {}).get("jobDeploymentStatus", "") in ("", "Suspended")


def _owner(workload: KubeObject) -> str:
    return str(workload["metadata"]["ownerReferences"][0]["uid"])


def _age(job: KubeObject) -> tuple[str, str]:
    return job["metadata"]["creationTimestamp"], job["metadata"]["uid"]


def _is(workload: KubeObject, kind: str) -> bool:
    rows: list[dict[str, Any]] = workload.get("status", {}).get("conditions", [])
    return any(row["type"] == kind and row["status"] == "True" for row in rows)


def _gpus(job: KubeObject) -> int:
    spec = job["spec"]["rayClusterSpec"]
    total = gpus_of(spec["headGroupSpec"]["template"]["spec"])
    for group in spec.get("workerGroupSpecs") or []:
        total += group.get("replicas", 1) * gpus_of(group["template"]["spec"])
    return max(1, total)
