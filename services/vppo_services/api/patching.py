"""A merge patch of a job object to the changes that a job takes."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from vppo_core.archive.records import JobChanges, JobRecord
from vppo_core.errors import InvalidSpecError
from vppo_core.spec.hashing import MUTABLE, differences
from vppo_core.spec.job import VPPOJob, VPPOJobSpec
from vppo_core.spec.loading import job_from_document
from vppo_core.spec.objects import as_submitted
from vppo_core.spec.parsing import Document
from vppo_core.spec.wording import shown
from vppo_services.api.job_body import merged


def changes_of(record: JobRecord, patch: Document) -> JobChanges:
    """The changes that a patch asks for. Fields that it repeats unchanged are no changes; what it
    leaves out stays.

    Raises:
        InvalidSpecError: one line for each value that is wrong and each field that may not be
            changed.
    """
    patch = as_submitted(patch)
    before = as_submitted(json.loads(record.as_json()))
    after = job_from_document(merged(before, patch))
    spec, meta = patch.get("spec", {}) or {}, patch.get("metadata", {}) or {}
    refused = [*_immutable(record, after), *_removed_deadlines(record, spec)]
    if refused:
        raise InvalidSpecError("\n".join(refused))
    values = after.spec.model_dump(mode="json", by_alias=True)
    fields = VPPOJobSpec.model_fields
    scalars = {
        name: values[field.alias or name]
        for name, field in fields.items()
        if (field.alias or name) in MUTABLE and (field.alias or name) in spec
    }
    return JobChanges(
        **scalars,
        labels=_texts(meta, "labels", record.labels),
        annotations=_texts(meta, "annotations", record.annotations),
    )


def _immutable(record: JobRecord, after: VPPOJob) -> Iterator[str]:
    for name, old in (("name", record.name), ("namespace", record.namespace)):
        new = getattr(after.metadata, name)
        if new != old:
            yield (
                f"metadata.{name} must stay {shown(old)}, got {shown(new)}; "
                "clone the job to change it"
            )
    for change in differences(record.spec, after.spec):
        if change.path not in MUTABLE:
            yield (
                f"{change.path} must stay {shown(change.before)} once the job is accepted, "
                f"got {shown(change.after)}; clone the job to change it"
            )


def _removed_deadlines(record: JobRecord, spec: Mapping[str, Any]) -> Iterator[str]:
    for name, old in (
        ("activeDeadlineSeconds", record.spec.active_deadline_seconds),
        ("pendingDeadlineSeconds", record.spec.pending_deadline_seconds),
    ):
        if name in spec and spec[name] is None and old is not None:
            yield (
                f"{name} must stay or be raised, got nothing in place of {old}; "
                "send a higher number, or leave it out"
            )


def _texts(
    meta: Mapping[str, Any], name: str, before: Mapping[str, str]
) -> dict[str, str | None] | None:
    if name not in meta:
        return None
    wanted = meta[name]
    # All of them taken away by one null.
    return dict.fromkeys(before) if wanted is None else dict(wanted)
