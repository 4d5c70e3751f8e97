"""Objects in memory with the rules of an API server; the world outside of the operator uses it."""

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from tests.sim.checks import check_kind, check_object
from tests.sim.merge import copied, merged, timestamp
from tests.sim.storage import Key, Records
from vppo_core.kube.api import KubeObject
from vppo_core.kube.errors import (
    AlreadyExistsError,
    BadObjectError,
    KubeConflictError,
    KubeForbiddenError,
    KubeNotFoundError,
)
from vppo_core.kube.kinds import (
    NAMESPACES,
    PODS,
    RAY_CLUSTERS,
    RAY_JOBS,
    VPPO_JOBS,
    WORKLOADS,
    Kind,
)

STATUS_KINDS = frozenset({VPPO_JOBS, RAY_JOBS, RAY_CLUSTERS, WORKLOADS, PODS})
"""Kinds whose status is written through `/status` only, and through that nothing else."""

_SET_BY_SERVER = (
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "generation",
    "name",
    "namespace",
)

Admission = Callable[[KubeObject | None, KubeObject], None]
"""Gets the old object (None: it is made) and the new one; may change that or raise."""


class ObjectStore(Records):
    """Implements `KubeApi` with an API server's rules, without faults and without counting.

    Kept: resourceVersion (one counter), uid, generation (raised by a changed spec and by the
    request to delete), creationTimestamp, AlreadyExists, conflicts, finalizers, `/status`, label
    selectors, immutable ConfigMaps, garbage collection by owner, foreground deletion, namespaces
    that end. A patch that changes nothing leaves the resourceVersion. All objects are copies.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        super().__init__(now)
        self.admission: dict[Kind, list[Admission]] = {}
        """Webhooks by kind: run when an object is made or its main resource changed."""

    def get(self, kind: Kind, namespace: str, name: str) -> KubeObject | None:
        """The object; None when there is none."""
        with self.lock:
            found = self._objects.get(_key(kind, namespace, name))
            return copied(found) if found else None

    def list(
        self, kind: Kind, namespace: str = "", *, labels: Mapping[str, str | None] | None = None
    ) -> Sequence[KubeObject]:
        """All objects by namespace and name."""
        with self.lock:
            found = sorted(key for key in self._objects if key[0] == kind)
            chosen = [self._objects[key] for key in found if not namespace or key[1] == namespace]
            return [copied(one) for one in chosen if _has_labels(one, labels or {})]

    def create(self, kind: Kind, body: KubeObject, *, dry_run: bool = False) -> KubeObject:
        """Make an object; a status in it is dropped where the kind has a status of its own."""
        with self.lock:
            new = _plain(body)
            check_kind(kind, new)
            head = new.setdefault("metadata", {})
            if not head.get("name") and head.get("generateName"):
                head["name"] = f"{head['generateName']}{uuid.uuid4().hex[:5]}"
            namespace = self._namespace_of(kind, head)
            key = _key(kind, namespace, head.get("name", ""))
            for field in ("uid", "deletionTimestamp", "resourceVersion", "generation"):
                head.pop(field, None)
            if kind in STATUS_KINDS:
                new.pop("status", None)
            for webhook in self.admission.get(kind, []):
                webhook(None, new)
            check_object(kind, new)
            if key in self._objects:
                raise AlreadyExistsError(f'{kind.plural} "{key[2]}" already exists')
            head |= {
                "uid": str(uuid.uuid4()),
                "creationTimestamp": timestamp(self._now()),
                "generation": 1,
            }
            if kind.is_namespaced:
                head["namespace"] = namespace
            if not dry_run:
                self.store("ADDED", key, new)
                self.sweep()
            return copied(new)

    def patch(
        self, kind: Kind, namespace: str, name: str, body: KubeObject, *, subresource: str = ""
    ) -> KubeObject:
        """Merge a change; it touches the status only through `/status`, and nothing else there."""
        with self.lock:
            key = _key(kind, namespace, name)
            old = self._objects.get(key)
            if old is None:
                raise KubeNotFoundError(f'{kind.plural} "{name}" not found')
            change = _plain(body)
            _check_still(old, change, name)
            if subresource not in ("", "status") or (subresource and kind not in STATUS_KINDS):
                raise KubeNotFoundError(f"{kind.plural}/{subresource} is not served")
            if subresource:
                change = {"status": change.get("status", {})} if "status" in change else {}
            elif kind in STATUS_KINDS:
                change.pop("status", None)
            new = merged(old, change)
            _keep_what_the_server_sets(old, new)
            if not subresource:
                for webhook in self.admission.get(kind, []):
                    webhook(old, new)
            check_object(kind, new, old)
            if new != old:
                if _without_status(new) != _without_status(old):
                    new["metadata"]["generation"] += 1
                self.store("MODIFIED", key, new)
                self.let_go(key)
                self.sweep()
            return copied(new)

    def delete(
        self, kind: Kind, namespace: str, name: str, *, uid: str = "", in_background: bool = True
    ) -> bool:
        """Ask for deletion: at once, or once the finalizers are gone."""
        with self.lock:
            key = _key(kind, namespace, name)
            old = self._objects.get(key)
            if old is None:
                return False
            if uid and uid != old["metadata"]["uid"]:
                raise KubeConflictError(
                    f"the UID in the precondition ({uid}) does not match the UID in record "
                    f"({old['metadata']['uid']})"
                )
            self.ask_to_go(key, in_foreground=not in_background)
            self.sweep()
            return True

    def pod_log(self, namespace: str, pod: str, *, container: str = "", tail: int = 1000) -> str:
        """No pod says anything here; `SimulatedServer` has logs."""
        del namespace, pod, container, tail
        return ""

    # What no API offers: for the parts of the world that a test plays.

    def put(self, kind: Kind, body: KubeObject) -> KubeObject:
        """Make or replace an object with all that it holds, its status included."""
        with self.lock:
            new = _plain(body)
            head = new.setdefault("metadata", {})
            key = _key(kind, head.get("namespace", ""), head["name"])
            old = self._objects.get(key)
            head.setdefault("uid", old["metadata"]["uid"] if old else str(uuid.uuid4()))
            head.setdefault("generation", 1)
            head.setdefault("creationTimestamp", timestamp(self._now()))
            new |= {"apiVersion": kind.api_version, "kind": kind.name}
            self.store("MODIFIED" if old else "ADDED", key, new)
            self.let_go(key)
            return copied(new)

    def remove(self, kind: Kind, namespace: str, name: str) -> None:
        """Make an object vanish, whatever its finalizers say."""
        with self.lock:
            self.drop(_key(kind, namespace, name))
            self.sweep()

    def _namespace_of(self, kind: Kind, head: dict[str, Any]) -> str:
        if not kind.is_namespaced:
            return ""
        namespace = str(head.get("namespace") or "default")
        home = self._objects.get((NAMESPACES, "", namespace))
        if home is None:
            raise KubeNotFoundError(f'namespaces "{namespace}" not found')
        if "deletionTimestamp" in home["metadata"]:
            raise KubeForbiddenError(f"namespace {namespace} is being terminated")
        return namespace


def _key(kind: Kind, namespace: str, name: str) -> Key:
    return kind, namespace if kind.is_namespaced else "", name


def _plain(body: KubeObject) -> KubeObject:
    """A copy; what could not travel as JSON is refused here rather than on a cluster."""
    try:
        copied: KubeObject = json.loads(json.dumps(body, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise BadObjectError(f"the object must be JSON, got {error}") from None
    return copied


def _has_labels(one: KubeObject, wanted: Mapping[str, str | None]) -> bool:
    has = one["metadata"].get("labels") or {}
    return all(k in has and (v is None or has[k] == v) for k, v in wanted.items())


def _without_status(one: KubeObject) -> KubeObject:
    return {key: value for key, value in one.items() if key not in ("status", "metadata")}


def _check_still(old: KubeObject, change: KubeObject, name: str) -> None:
    said = change.get("metadata", {})
    for field in ("resourceVersion", "uid"):
        if said.get(field) and said[field] != old["metadata"][field]:
            raise KubeConflictError(
                f'Operation cannot be fulfilled on "{name}": the object has been modified; please '
                "apply your changes to the latest version and try again"
            )
    said.pop("resourceVersion", None)


def _keep_what_the_server_sets(old: KubeObject, new: KubeObject) -> None:
    for field in _SET_BY_SERVER:
        if field in old["metadata"]:
            new["metadata"][field] = old["metadata"][field]
        else:
            new["metadata"].pop(field, None)
    for field in ("apiVersion", "kind"):
        new[field] = old[field]
    added = set(new["metadata"].get("finalizers") or []) - set(
        old["metadata"].get("finalizers") or []
    )
    if added and "deletionTimestamp" in old["metadata"]:
        raise BadObjectError(
            "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being "
            f"deleted, found new finalizers {sorted(added)}"
        )


def utc_now() -> datetime:
    """The real clock, for tests that do not step time."""
    return datetime.now(UTC)
