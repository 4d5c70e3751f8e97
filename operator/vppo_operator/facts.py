"""Reads what there is of a job: objects from the API server, never from a cache, and files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from vppo_core.kube.api import KubeApi, KubeObject
from vppo_core.kube.errors import KubeNotFoundError
from vppo_core.kube.kinds import PODS, RAY_CLUSTERS, RAY_JOBS, WORKLOADS, Kind
from vppo_core.manifests.labels import JOB_LABEL
from vppo_operator.attempt_files import Mirror
from vppo_operator.parts import FINALIZER, AttemptFiles, Parts, attempt_of, meta, status

WORKLOAD_LABEL: Final = "kueue.x-k8s.io/job-uid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Children:
    """Everything that a job has in the cluster."""

    parts: Mapping[int, Parts] = field(default_factory=dict)
    """By attempt."""

    is_kuberay_served: bool = True
    """Whether the API server knows RayJobs."""


class ClusterReader:
    """Reads the children of one job at a time."""

    def __init__(self, api: KubeApi, mirror: Mirror) -> None:
        self._api = api
        self._mirror = mirror

    def children(
        self, document: KubeObject, indices: Sequence[int], *, uses_kueue: bool
    ) -> Children:
        """What there is of these attempts, and of any other that left something.

        A job without our finalizer has no children: the finalizer goes first.

        Raises:
            KubeError: nothing is known then.
        """
        head = meta(document)
        uid, namespace = str(head["uid"]), str(head["namespace"])
        is_served = True
        found: dict[int, Parts] = {}
        if FINALIZER in (head.get("finalizers") or ()):
            labels = {JOB_LABEL: str(head["name"])}
            try:
                ray_jobs = self._list(RAY_JOBS, namespace, labels)
            except KubeNotFoundError:
                is_served, ray_jobs = False, []
            ray_jobs = [one for one in ray_jobs if _is_owned_by(one, uid)]
            clusters = self._list(RAY_CLUSTERS, namespace, labels) if is_served else []
            found = _by_attempt(ray_jobs, clusters, self._list(PODS, namespace, labels))
        parts = {
            index: self._with_files(uid, index, found.get(index, Parts()), uses_kueue)
            for index in sorted({*indices, *found})
        }
        return Children(parts=parts, is_kuberay_served=is_served)

    def is_kuberay_served(self, namespace: str) -> bool:
        """Whether the API server knows RayJobs.

        Raises:
            KubeError: it is not known.
        """
        try:
            self._list(RAY_JOBS, namespace, {JOB_LABEL: "vppo-is-served"})
        except KubeNotFoundError:
            return False
        return True

    def _list(
        self, kind: Kind, namespace: str, labels: Mapping[str, str | None]
    ) -> list[KubeObject]:
        return list(self._api.list(kind, namespace, labels=labels))

    def _with_files(self, uid: str, index: int, parts: Parts, uses_kueue: bool) -> Parts:
        started = str(status(parts.ray_job).get("startTime") or "")
        workload = self._workload(parts.ray_job) if uses_kueue else None
        return replace(
            parts,
            workload=workload,
            files=self._mirror.files(uid, index) if index else AttemptFiles(),
            evidence=self._mirror.evidence(uid, index, started=started),
        )

    def _workload(self, ray_job: KubeObject | None) -> KubeObject | None:
        if ray_job is None:
            return None
        head = meta(ray_job)
        try:
            found = self._list(WORKLOADS, head["namespace"], {WORKLOAD_LABEL: head["uid"]})
        except KubeNotFoundError:
            return None  # Kueue is not installed
        return max(found, key=lambda one: str(meta(one).get("creationTimestamp")), default=None)


def _by_attempt(
    ray_jobs: Sequence[KubeObject], clusters: Sequence[KubeObject], pods: Sequence[KubeObject]
) -> dict[int, Parts]:
    jobs = {attempt_of(one): one for one in ray_jobs}
    indices = {attempt_of(one) for one in (*ray_jobs, *clusters, *pods)}
    return {
        index: Parts(
            ray_job=jobs.get(index),
            ray_clusters=[one for one in clusters if attempt_of(one) == index],
            pods=[one for one in pods if attempt_of(one) == index],
        )
        for index in indices
        if index is not None
    }


def _is_owned_by(thing: KubeObject, uid: str) -> bool:
    return any(one.get("uid") == uid for one in meta(thing).get("ownerReferences") or ())
