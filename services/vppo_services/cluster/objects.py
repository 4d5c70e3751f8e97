"""VPPOJob objects as records of jobs, and jobs as the objects that are created. Pure."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import ValidationError

from vppo_core.archive.records import JobRecord
from vppo_core.kube.annotations import own_annotations, owner_of
from vppo_core.kube.api import KubeObject
from vppo_core.spec.hashing import spec_hash
from vppo_core.spec.job import API_VERSION, KIND, VPPOJob, VPPOJobSpec
from vppo_core.spec.status import ConditionType, JobPhase, VPPOJobStatus

_VERSION: Final = re.compile(r"[0-9]{1,18}")
_TRIES: Final = 8
_PHASES: Final = frozenset(phase.value for phase in JobPhase)


def record_of(document: KubeObject) -> JobRecord:
    """The job as a record; its version is the object's resourceVersion.

    A spec that this version does not read (the operator refuses it, or it is of a newer one) is
    kept as text, so that the job can be seen and deleted.
    """
    meta = meta_of(document)
    notes = meta.get("annotations") or {}
    spec, status = _spec_of(document), status_of(document)
    finished = next((c for c in status.conditions if c.type is ConditionType.FINISHED), None)
    return JobRecord(
        uid=str(meta.get("uid", "")),
        name=str(meta.get("name", "")),
        namespace=str(meta.get("namespace", "")),
        owner=owner_of(notes),
        labels={name: str(value) for name, value in (meta.get("labels") or {}).items()},
        annotations=own_annotations(notes),
        spec_json=(
            spec.model_dump_json(by_alias=True)
            if spec is not None
            else json.dumps(document.get("spec") or {})
        ),
        status_json=status.model_dump_json(by_alias=True),
        spec_hash=spec_hash(spec) if spec is not None else status.spec_hash,
        phase=status.phase,
        generation=int(meta.get("generation") or 1),
        version=version_of(meta),
        created=moment(meta.get("creationTimestamp")) or datetime.fromtimestamp(0, UTC),
        finished=(
            finished.last_transition_time
            if finished is not None and status.phase.is_final
            else None
        ),
        deletion_requested=moment(meta.get("deletionTimestamp")),
    )


def object_of(job: VPPOJob, annotations: Mapping[str, str]) -> KubeObject:
    """The object that a job is made as; a field without a value is left out, as the CRD has it."""
    meta = job.metadata
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {
            "name": meta.name,
            "namespace": meta.namespace,
            "labels": dict(meta.labels),
            "annotations": {**own_annotations(meta.annotations), **annotations},
        },
        "spec": job.spec.model_dump(mode="json", by_alias=True, exclude_none=True),
    }


def status_of(document: KubeObject) -> VPPOJobStatus:
    """The status written last; what a newer operator writes besides is left out, and one that
    nobody can read is as none."""
    raw: Any = json.loads(json.dumps(document.get("status") or {}))
    for _ in range(_TRIES):
        try:
            return VPPOJobStatus.model_validate_json(json.dumps(raw))
        except ValidationError as error:
            unknown = [one["loc"] for one in error.errors() if one["type"] == "extra_forbidden"]
            if not unknown:
                break
            for path in unknown:
                _remove(raw, path)
    return VPPOJobStatus(phase=phase_of(document))


def phase_of(document: KubeObject) -> JobPhase:
    """The phase in the status; `Pending` before there is one."""
    found = str((document.get("status") or {}).get("phase", ""))
    return JobPhase(found) if found in _PHASES else JobPhase.PENDING


def meta_of(document: KubeObject) -> dict[str, Any]:
    """The metadata of an object."""
    meta: dict[str, Any] = document.get("metadata") or {}
    return meta


def version_of(meta: Mapping[str, Any]) -> int:
    """The resourceVersion as a number; Kubernetes says that it is one."""
    text = str(meta.get("resourceVersion", ""))
    return int(text) if _VERSION.fullmatch(text) else 0


def moment(text: object) -> datetime | None:
    """A time of the metadata."""
    return datetime.fromisoformat(str(text)).astimezone(UTC) if text else None


def _spec_of(document: KubeObject) -> VPPOJobSpec | None:
    try:
        return VPPOJobSpec.model_validate_json(json.dumps(document.get("spec") or {}))
    except ValidationError:
        return None


def _remove(raw: Any, path: tuple[str | int, ...]) -> None:
    for part in path[:-1]:
        raw = raw[part]
    raw.pop(path[-1], None)
