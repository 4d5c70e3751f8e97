"""Actions as calls of the API server. Each may be cut short anywhere and done again."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from vppo_core.errors import VPPOError
from vppo_core.kube.api import KubeApi, KubeObject
from vppo_core.kube.errors import (
    AlreadyExistsError,
    BadObjectError,
    KubeConflictError,
    KubeForbiddenError,
    KubeNotFoundError,
)
from vppo_core.kube.kinds import (
    CONFIG_MAPS,
    DISRUPTION_BUDGETS,
    NETWORK_POLICIES,
    RAY_CLUSTERS,
    RAY_JOBS,
    VPPO_JOBS,
    Kind,
)
from vppo_core.lifecycle.names import attempt_name
from vppo_core.manifests.attempt import AttemptRequest
from vppo_core.manifests.labels import PRIORITY_LABEL
from vppo_core.manifests.render import kind_of, render
from vppo_core.runs.files import StopFile
from vppo_operator.attempt_files import Mirror
from vppo_operator.attempt_state import hears_nothing, stop_of
from vppo_operator.parts import FINALIZER, STOP_ANNOTATION, Parts, deleted_at, is_suspended, meta
from vppo_operator.seen_versions import SeenVersions

STUCK: Final = timedelta(minutes=5)
"""How long beyond the grace of a stop KubeRay may take to delete a RayJob."""

_AROUND: Final[tuple[Kind, ...]] = (DISRUPTION_BUDGETS, NETWORK_POLICIES, CONFIG_MAPS)

Refusal = BadObjectError | KubeForbiddenError | KubeNotFoundError
"""What the API server says to an object that it will not have, now or ever."""


class NameHeldError(VPPOError):
    """An object of an earlier job still has the name; it is about to go."""


class Hands:
    """Makes, asks and removes what belongs to attempts."""

    def __init__(self, api: KubeApi, mirror: Mirror, seen: SeenVersions) -> None:
        self._api = api
        self._mirror = mirror
        self._seen = seen

    def start(self, request: AttemptRequest) -> None:
        """Make the objects of an attempt; those that are there already stay.

        Raises:
            BadObjectError, KubeForbiddenError, KubeNotFoundError: the API server will not have one.
            NameHeldError: an earlier job's object is in the way.
        """
        for body in render(request):
            self._create(kind_of(body), body, request.uid)
        self._mirror.note_launch(request.uid, request.index)

    def rehearse(self, request: AttemptRequest) -> None:
        """The same without making anything.

        Raises:
            BadObjectError, KubeForbiddenError, KubeNotFoundError: the API server would not.
        """
        for body in render(request):
            try:
                self._api.create(kind_of(body), body, dry_run=True)
            except AlreadyExistsError:
                continue

    def request_stop(self, uid: str, index: int, parts: Parts, wanted: StopFile) -> None:
        """Leave the request where the driver hears it; without a driver there is nothing to save.

        It is kept on the RayJob too, for an operator that lost its folder.
        """
        asked = stop_of(parts) or wanted
        self._mirror.note_stop(uid, index, asked)
        ray_job = parts.ray_job
        if ray_job is None or deleted_at(ray_job) is not None:
            return
        head = meta(ray_job)
        if STOP_ANNOTATION not in (head.get("annotations") or {}):
            note = json.dumps(asked.model_dump(mode="json", by_alias=True))
            self._change(RAY_JOBS, head, {"metadata": {"annotations": {STOP_ANNOTATION: note}}})
        if hears_nothing(parts):
            self._delete(RAY_JOBS, ray_job)

    def delete(self, parts: Parts) -> None:
        """End an attempt by force: KubeRay removes its cluster with the RayJob."""
        if parts.ray_job is not None:
            if deleted_at(parts.ray_job) is None:
                self._delete(RAY_JOBS, parts.ray_job)
            return
        self.delete_clusters(parts)

    def delete_clusters(self, parts: Parts) -> None:
        """Remove an attempt's RayClusters, whatever KubeRay thinks of its RayJob."""
        for cluster in parts.ray_clusters:
            if deleted_at(cluster) is None:
                self._delete(RAY_CLUSTERS, cluster)

    def free_stuck(self, parts: Parts) -> None:
        """Let a RayJob go that KubeRay cannot: it wants to speak to a cluster that is gone."""
        assert parts.ray_job is not None
        head = meta(parts.ray_job)
        self._change(RAY_JOBS, head, {"metadata": {"finalizers": None}})

    def clear(self, namespace: str, job: str, index: int, parts: Parts) -> None:
        """Remove all objects of an attempt that is over, the RayJob last: it tells that there are
        others."""
        for kind in _AROUND:
            self._api.delete(kind, namespace, attempt_name(job, index))
        self.delete_clusters(parts)
        if parts.ray_job is not None and deleted_at(parts.ray_job) is None:
            self._delete(RAY_JOBS, parts.ray_job)

    def prioritise(self, parts: Parts, priority: str) -> None:
        """Pass a changed priority on to Kueue: the one change of a RayJob after its creation."""
        if parts.ray_job is None or deleted_at(parts.ray_job) is not None:
            return
        head = meta(parts.ray_job)
        known = (head.get("labels") or {}).get(PRIORITY_LABEL, "")
        if known != priority:
            label = {PRIORITY_LABEL: priority or None}
            self._change(RAY_JOBS, head, {"metadata": {"labels": label}})

    def hold(self, document: KubeObject) -> KubeObject:
        """The job with our finalizer: it does not vanish while an attempt lives.

        Raises:
            KubeConflictError: it changed meanwhile.
        """
        present = list(meta(document).get("finalizers") or ())
        return document if FINALIZER in present else self._finalize(document, [*present, FINALIZER])

    def release(self, document: KubeObject) -> KubeObject:
        """The job without our finalizer.

        Raises:
            KubeConflictError: it changed meanwhile.
        """
        present = list(meta(document).get("finalizers") or ())
        left = [one for one in present if one != FINALIZER]
        return self._finalize(document, left) if left != present else document

    def delete_job(self, document: KubeObject) -> None:
        """Remove the job object itself."""
        self._delete(VPPO_JOBS, document)

    def _finalize(self, document: KubeObject, finalizers: list[str]) -> KubeObject:
        head = meta(document)
        change = {"resourceVersion": head["resourceVersion"], "finalizers": finalizers}
        try:
            written = self._api.patch(
                VPPO_JOBS, head["namespace"], head["name"], {"metadata": change}
            )
        except KubeNotFoundError:
            return document
        self._seen.note(written)
        return written

    def _create(self, kind: Kind, body: KubeObject, uid: str) -> None:
        try:
            made = self._api.create(kind, body)
        except AlreadyExistsError:
            head = body["metadata"]
            there = self._api.get(kind, head["namespace"], head["name"])
            owners = meta(there or {}).get("ownerReferences") or ()
            if not any(one.get("uid") == uid for one in owners):
                raise NameHeldError(
                    f"{kind.name} {head['name']} must be of this job, got one of an earlier job; "
                    "it is looked at again when that is gone"
                ) from None
        else:
            if not is_suspended(made):  # Kueue's doing, and news
                self._seen.note(made)

    def _change(self, kind: Kind, head: Mapping[str, object], change: KubeObject) -> None:
        try:
            self._api.patch(kind, str(head["namespace"]), str(head["name"]), change)
        except KubeNotFoundError:
            return  # it is gone

    def _delete(self, kind: Kind, thing: KubeObject) -> None:
        head = meta(thing)
        try:
            self._api.delete(kind, head["namespace"], head["name"], uid=str(head.get("uid", "")))
        except (KubeConflictError, KubeNotFoundError):
            return  # another one has its name by now, or the kind is not served any more


def ca_text(path: str) -> str:
    """The certificate that drivers trust; empty where none is named.

    Raises:
        OSError: it cannot be read.
    """
    return Path(path).read_text(encoding="utf-8") if path else ""


def overdue(parts: Parts, grace_seconds: int) -> datetime | None:
    """When KubeRay has had its time to delete the RayJob; None while it is not being deleted."""
    since = deleted_at(parts.ray_job)
    return None if since is None else since + timedelta(seconds=grace_seconds) + STUCK
