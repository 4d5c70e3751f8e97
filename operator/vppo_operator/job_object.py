"""A VPPOJob object as the rest of the program sees a job. Pure."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from pydantic import ValidationError

from vppo_core.archive.records import JobRecord
from vppo_core.errors import InvalidSpecError
from vppo_core.kube.annotations import own_annotations, owner_of
from vppo_core.kube.api import KubeObject
from vppo_core.spec.job import API_VERSION, KIND
from vppo_core.spec.loading import job_from_document
from vppo_core.spec.status import ConditionType, VPPOJobStatus
from vppo_operator.parts import deleted_at, meta, moment

_MAX_NOTES: Final = 64


def record_of(document: KubeObject, *, now: datetime) -> JobRecord:
    """The job as a record; what the archive adds to it (release, expiry) is left out.

    Raises:
        InvalidSpecError: one line for each thing that is wrong with the spec.
        ValueError: nobody can read its status.
    """
    head = meta(document)
    plain = {
        "name": head.get("name", ""),
        "namespace": head.get("namespace", ""),
        "labels": _notes(head.get("labels")),
        "annotations": _notes(own_annotations(head.get("annotations") or {})),
    }
    spec = document.get("spec") or {}
    job = job_from_document(
        {"apiVersion": API_VERSION, "kind": KIND, "metadata": plain, "spec": spec}
    )
    status = status_of(document)
    finished = next((c for c in status.conditions if c.type is ConditionType.FINISHED), None)
    is_final = status.phase.is_final and finished is not None
    return JobRecord(
        uid=str(head.get("uid", "")),
        name=job.metadata.name,
        namespace=job.metadata.namespace,
        owner=owner_of(head.get("annotations") or {}),
        labels=dict(job.metadata.labels),
        annotations=dict(job.metadata.annotations),
        spec_json=job.spec.model_dump_json(by_alias=True),
        status_json=status.model_dump_json(by_alias=True),
        spec_hash=status.spec_hash,
        phase=status.phase,
        generation=int(head.get("generation", 0)),
        version=0,
        created=moment(head.get("creationTimestamp")) or now,
        finished=finished.last_transition_time if is_final and finished else None,
        deletion_requested=deleted_at(document),
    )


def status_of(document: KubeObject) -> VPPOJobStatus:
    """The status written last; fields of a newer operator are left out.

    Raises:
        ValueError: it is damaged. Nobody may begin anew then: an attempt may live.
    """
    raw: Any = json.loads(json.dumps(document.get("status") or {}))
    for _ in range(8):
        try:
            return VPPOJobStatus.model_validate(raw)
        except ValidationError as error:
            unknown = [one["loc"] for one in error.errors() if one["type"] == "extra_forbidden"]
            if not unknown:
                raise _damaged(document, error) from None
            for path in unknown:
                _remove(raw, path)
    raise _damaged(document, None)


def status_document(status: VPPOJobStatus) -> dict[str, Any]:
    """The status as it is written: what is not known is left out."""
    document: dict[str, Any] = status.model_dump(mode="json", by_alias=True, exclude_none=True)
    return document


def merge_patch(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """The smallest merge patch from one to the other; empty when they are equal."""
    patch: dict[str, Any] = {name: None for name in old if name not in new}
    for name, value in new.items():
        before = old.get(name)
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            inner = merge_patch(before, value)
            if inner:
                patch[name] = inner
        elif name not in old or before != value:
            patch[name] = value
    return patch


def why_refused(error: InvalidSpecError) -> str:
    """The one-word reason of a refused spec."""
    first = str(error).split("\n")[0]
    if first.startswith("scheduling.queue "):
        return "UnknownQueue"
    if first.startswith("priority "):
        return "UnknownPriority"
    if first.startswith("placement."):
        return "UnknownPool" if ".pool must be one of" in first else "DoesNotFit"
    return "DoesNotFit" if first.startswith("placement ") else "InvalidSpec"


def _notes(found: object) -> dict[str, str]:
    notes = found if isinstance(found, Mapping) else {}
    return dict([(str(k), str(v)) for k, v in sorted(notes.items())][:_MAX_NOTES])


def _remove(raw: Any, path: tuple[str | int, ...]) -> None:
    for part in path[:-1]:
        raw = raw[part]
    raw.pop(path[-1], None)


def _damaged(document: KubeObject, error: ValidationError | None) -> ValueError:
    head = meta(document)
    where = f"{head.get('namespace')}/{head.get('name')}"
    count = error.error_count() if error else 1
    return ValueError(
        f"the status of VPPOJob {where} must be as the operator writes it, got {count} wrong "
        "fields; mend or remove its .status"
    )
