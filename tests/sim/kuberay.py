"""KubeRay's controller of RayJobs, as 1.6 and 1.7 behave in HTTPMode, traps included."""

import itertools
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Protocol

from tests.sim.kuberay_rules import wrong_with
from tests.sim.merge import moment_of, timestamp
from tests.sim.nodes import is_running
from tests.sim.objects import ObjectStore
from tests.sim.raycluster import RayClusters, owned_by
from vppo_core.kube.api import KubeObject
from vppo_core.kube.kinds import PODS, RAY_CLUSTERS, RAY_JOBS

FINALIZER = "ray.io/rayjob-finalizer"
STATUS_CHECK_TIMEOUT_SECONDS = 300
ENDED = ("Complete", "Failed")
_suffixes = itertools.count(1)


class Run(Protocol):
    """A job inside a Ray cluster: an entrypoint that runs."""

    job_status: str
    """`RUNNING`, `STOPPED`, `SUCCEEDED` or `FAILED`."""

    message: str

    def stop(self) -> None:
        """What Ray's own request to stop does: SIGTERM."""


class KubeRay:
    """Moves each RayJob by one reconcile a step.

    Args:
        start: runs the entrypoint of a RayJob in its head pod.
    """

    def __init__(
        self,
        store: ObjectStore,
        now: Callable[[], datetime],
        start: Callable[[KubeObject, KubeObject], Run],
    ) -> None:
        self._store = store
        self._now = now
        self._start = start
        self.clusters = RayClusters(store, now)
        self.is_running = True
        """False: the KubeRay operator itself is down."""

        self.dashboard_is_down: set[str] = set()
        """RayJobs whose dashboard does not answer."""

        self.leaks = False
        """Whether clusters of ended RayJobs stay."""

        self.refuses: dict[str, str] = {}
        """RayJobs that its validation refuses, and why; `*` stands for all."""

        self.deletes_ended_jobs = False
        """`DELETE_RAYJOB_CR_AFTER_JOB_FINISHES`."""

        self.resubmissions = 0
        self._runs: dict[tuple[str, str], Run] = {}
        """By uid of the head pod and id of the Ray job: a new head knows no jobs."""

    def step(self) -> None:
        """Look at every RayJob once, then at every RayCluster."""
        if not self.is_running:
            return
        for job in self._store.list(RAY_JOBS):
            self._reconcile(job)
        self.clusters.step()

    def forget_dead_heads(self) -> None:
        """Drop the Ray jobs of heads that are gone: a new head knows no jobs."""
        heads = {pod["metadata"]["uid"] for pod in self._store.list(PODS)}
        self._runs = {key: run for key, run in self._runs.items() if key[0] in heads}

    def head_of(self, job: KubeObject) -> KubeObject | None:
        """The running head pod of a RayJob's cluster."""
        cluster = self._cluster_of(job)
        pods = self.clusters.pods_of(cluster) if cluster else []
        for pod in pods:
            if pod["metadata"]["labels"]["ray.io/node-type"] == "head" and is_running(pod):
                return pod
        return None

    def run_of(self, job: KubeObject) -> Run | None:
        """The entrypoint of a RayJob, where its dashboard knows it."""
        head = self.head_of(job)
        job_id = job.get("status", {}).get("jobId", "")
        return self._runs.get((head["metadata"]["uid"], job_id)) if head else None

    def _reconcile(self, job: KubeObject) -> None:
        status = job.setdefault("status", {})
        if "deletionTimestamp" in job["metadata"]:
            self._delete(job)
            return
        state = status.get("jobDeploymentStatus", "")
        if state == "ValidationFailed":
            return  # "Unknown JobDeploymentStatus", for ever
        wrong = self._wrong_with(job)
        if wrong:
            self._write(
                job,
                jobDeploymentStatus="ValidationFailed",
                reason="ValidationFailed",
                message=wrong,
            )
            return
        step = {
            "": self._begin,
            "Initializing": self._initialize,
            "Running": self._follow,
            "Suspending": self._suspend,
            "Suspended": self._stay_suspended,
        }.get(state, self._after_the_end)
        step(job)

    def _begin(self, job: KubeObject) -> None:
        head = job["metadata"]
        head["finalizers"] = sorted({*head.get("finalizers", []), FINALIZER})
        cluster = job["status"].get("rayClusterName") or f"{head['name']}-{next(_suffixes):05x}"
        self._write(
            job,
            jobDeploymentStatus="Initializing",
            jobId=f"{cluster}-job",
            rayClusterName=cluster,
            startTime=timestamp(self._now()),
        )

    def _initialize(self, job: KubeObject) -> None:
        if self._leaves_for_suspension(job) or self._is_late(job):
            return
        cluster = self._cluster_of(job) or self._make_cluster(job)
        if cluster.get("status", {}).get("state") == "ready":
            url = f"{cluster['metadata']['name']}-head-svc:8265"
            self._write(job, jobDeploymentStatus="Running", dashboardURL=url)

    def _follow(self, job: KubeObject) -> None:
        if self._leaves_for_suspension(job) or self._is_late(job):
            return
        name, status = job["metadata"]["name"], job["status"]
        head = self.head_of(job)
        if name in self.dashboard_is_down or head is None:
            since = status.get("jobStatusCheckFailureStartTime")
            if since is None:
                self._write(job, jobStatusCheckFailureStartTime=timestamp(self._now()))
            elif self._is_over(since, STATUS_CHECK_TIMEOUT_SECONDS):
                message = "Job status check timed out"
                self._end(job, "Failed", "JobStatusCheckTimeoutExceeded", message)
            return
        status.pop("jobStatusCheckFailureStartTime", None)
        key = (head["metadata"]["uid"], status["jobId"])
        run = self._runs.get(key)
        if run is None:
            self.resubmissions += status.get("jobStatus") is not None
            self._runs[key] = run = self._start(job, head)
        if run.job_status in ("SUCCEEDED", "STOPPED"):
            status["jobStatus"] = run.job_status
            self._end(job, "Complete", "", run.message)
        elif run.job_status == "FAILED":
            status["jobStatus"] = "FAILED"
            self._end(job, "Failed", "AppFailed", run.message)
        else:
            self._write(job, jobStatus=run.job_status)

    def _suspend(self, job: KubeObject) -> None:
        if self._drop_cluster(job):
            kept = {"jobDeploymentStatus": "Suspended", "startTime": job["status"].get("startTime")}
            job["status"] = kept
            self._store.put(RAY_JOBS, job)

    def _stay_suspended(self, job: KubeObject) -> None:
        if not job["spec"].get("suspend"):
            job["status"] = {"jobDeploymentStatus": ""}
            self._store.put(RAY_JOBS, job)

    def _after_the_end(self, job: KubeObject) -> None:
        ended = job["status"].get("endTime")
        if job["status"].get("jobDeploymentStatus") not in ENDED or self.leaks or not ended:
            return
        if not self._is_over(ended, job["spec"].get("ttlSecondsAfterFinished", 0)):
            return
        if self.deletes_ended_jobs:
            self._store.delete(RAY_JOBS, job["metadata"]["namespace"], job["metadata"]["name"])
        elif job["spec"].get("shutdownAfterJobFinishes"):
            self._drop_cluster(job)

    def _delete(self, job: KubeObject) -> None:
        head = job["metadata"]
        if FINALIZER not in head.get("finalizers", []):
            return
        if head["name"] in self.dashboard_is_down and self.head_of(job) is not None:
            return  # no client for the dashboard: tried again, without end
        run = self.run_of(job)
        if run is not None and run.job_status == "RUNNING":
            run.stop()
        head["finalizers"].remove(FINALIZER)
        self._store.put(RAY_JOBS, job)
        self._store.collect_garbage()

    def _leaves_for_suspension(self, job: KubeObject) -> bool:
        if not job["spec"].get("suspend"):
            return False
        self._write(job, jobDeploymentStatus="Suspending")
        return True

    def _is_late(self, job: KubeObject) -> bool:
        spec, since = job["spec"], job["status"]["startTime"]
        if spec.get("activeDeadlineSeconds") and self._is_over(
            since, spec["activeDeadlineSeconds"]
        ):
            self._end(job, "Failed", "DeadlineExceeded", "activeDeadlineSeconds is over")
            return True
        limit = spec.get("preRunningDeadlineSeconds")
        is_initializing = job["status"]["jobDeploymentStatus"] == "Initializing"
        if limit and is_initializing and self._is_over(since, limit):
            message = "preRunningDeadlineSeconds is over"
            self._end(job, "Failed", "PreRunningDeadlineExceeded", message)
            return True
        return False

    def _end(self, job: KubeObject, state: str, reason: str, message: str) -> None:
        job["status"].pop("jobStatusCheckFailureStartTime", None)
        self._write(
            job,
            jobDeploymentStatus=state,
            reason=reason,
            message=message,
            endTime=timestamp(self._now()),
        )

    def _make_cluster(self, job: KubeObject) -> KubeObject:
        head = job["metadata"]
        labels = head.get("labels", {}) | {
            "ray.io/originated-from-cr-name": head["name"],
            "ray.io/originated-from-crd": "RayJob",
        }
        body = {
            "metadata": {
                "name": job["status"]["rayClusterName"],
                "namespace": head["namespace"],
                "labels": labels,
                "annotations": head.get("annotations", {}),
                "ownerReferences": [owned_by(job)],
            },
            "spec": job["spec"]["rayClusterSpec"],
            "status": {},
        }
        return self._store.put(RAY_CLUSTERS, body)

    def _cluster_of(self, job: KubeObject) -> KubeObject | None:
        name = job.get("status", {}).get("rayClusterName", "")
        return self._store.get(RAY_CLUSTERS, job["metadata"]["namespace"], name) if name else None

    def _drop_cluster(self, job: KubeObject) -> bool:
        """Delete the cluster; whether it is gone."""
        cluster = self._cluster_of(job)
        if cluster is None:
            return True
        head = cluster["metadata"]
        self._store.delete(RAY_CLUSTERS, head["namespace"], head["name"])
        return False

    def _is_over(self, since: str, seconds: float) -> bool:
        return self._now() >= moment_of(since) + timedelta(seconds=seconds)

    def _write(self, job: KubeObject, **status: Any) -> None:
        """Write the status, which a change of the message alone does not make it do."""
        old = self._store.get(RAY_JOBS, job["metadata"]["namespace"], job["metadata"]["name"])
        job["status"] |= status
        assert old is not None
        watched = ("jobStatus", "jobDeploymentStatus", "jobStatusCheckFailureStartTime")
        before = old.get("status", {})
        if any(job["status"].get(field) != before.get(field) for field in watched):
            self._store.put(RAY_JOBS, job)

    def _wrong_with(self, job: KubeObject) -> str:
        name = job["metadata"]["name"]
        return self.refuses.get(name) or self.refuses.get("*") or wrong_with(name, job["spec"])
