"""What a person may change of a job that exists, and what the history says of it. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from vppo_core.archive.errors import NotAllowedNowError, StaleVersionError
from vppo_core.archive.events import AUDIT, NewEvent
from vppo_core.archive.records import JobChanges, JobRecord
from vppo_core.spec.job import API_VERSION, KIND, VPPOJob
from vppo_core.spec.loading import job_from_document
from vppo_core.spec.scheduling import DesiredState

_SCALARS: Final = {
    "desiredState": "desired_state",
    "priority": "priority",
    "activeDeadlineSeconds": "active_deadline_seconds",
    "pendingDeadlineSeconds": "pending_deadline_seconds",
    "ttlSecondsAfterFinished": "ttl_seconds_after_finished",
}
_DEADLINES: Final = ("activeDeadlineSeconds", "pendingDeadlineSeconds")
_TTL: Final = "ttlSecondsAfterFinished"
_REQUESTS: Final = {
    DesiredState.RUNNING: ("ResumeRequested", "It was asked that the job goes on."),
    DesiredState.PAUSED: ("PauseRequested", "It was asked that the job pauses."),
    DesiredState.CANCELLED: ("CancelRequested", "It was asked that the job is cancelled."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change that the rules allow."""

    job: VPPOJob
    """The job with it."""

    scalars: dict[str, Any]
    """Fields of the spec that differ, by their names on the wire."""

    events: tuple[NewEvent, ...]
    """What the history says of it."""


def change_of(before: JobRecord, changes: JobChanges, *, actor: str) -> Change | None:
    """The job with these changes; a field that has its value already is none. None without any.

    Raises:
        NotAllowedNowError: the job is finished or cancelled, or a deadline would come earlier.
        InvalidSpecError: a value that no job may have.
    """
    spec = json.loads(before.spec_json)
    scalars = _changed_scalars(spec, changes)
    _check(before, spec, scalars)
    labels = _merged(before.labels, changes.labels)
    annotations = _merged(before.annotations, changes.annotations)
    if not scalars and (labels, annotations) == (before.labels, before.annotations):
        return None
    job = _valid_job(before, {**spec, **scalars}, labels, annotations)
    return Change(job=job, scalars=scalars, events=_events(before, job, scalars, actor))


def check_version(before: JobRecord, if_version: int | None) -> None:
    """Go on only if the job is still of the version that the caller read; None takes any.

    Raises:
        StaleVersionError.
    """
    if if_version is not None and before.version != if_version:
        raise StaleVersionError(
            f"If-Match must be the job's version {before.version}, got {if_version}; "
            "read the job again and repeat the change"
        )


def deletion_asked(before: JobRecord, *, actor: str) -> NewEvent:
    """What the history says of a request to delete a job."""
    return NewEvent(
        actor=actor,
        kind=AUDIT,
        reason="DeletionRequested",
        message="It was asked that the job is deleted.",
        payload={"phase": before.phase},
    )


def _changed_scalars(spec: Mapping[str, Any], changes: JobChanges) -> dict[str, Any]:
    asked = {wire: getattr(changes, field) for wire, field in _SCALARS.items()}
    return {
        wire: value
        for wire, value in asked.items()
        if value is not None and value != spec.get(wire)
    }


def _check(job: JobRecord, spec: Mapping[str, Any], scalars: Mapping[str, Any]) -> None:
    if job.phase.is_final or job.released is not None:
        for field in scalars:
            if field != _TTL:
                raise NotAllowedNowError(
                    f"{field} must stay as it is when a job is over, got {job.phase}; "
                    "clone the job to run it again"
                )
    if "desiredState" in scalars and spec["desiredState"] == DesiredState.CANCELLED:
        raise NotAllowedNowError(
            f"desiredState must stay Cancelled, got {scalars['desiredState']}; "
            "clone the job to run it again"
        )
    for field in _DEADLINES:
        if field in scalars:
            _check_deadline(field, spec.get(field), scalars[field])


def _check_deadline(field: str, before: int | None, after: int) -> None:
    if before is None:
        raise NotAllowedNowError(
            f"{field} cannot be added to a job that exists, got {after}; "
            "clone the job with a deadline"
        )
    if after < before:
        raise NotAllowedNowError(
            f"{field} may only be raised (it is {before}), got {after}; "
            "cancel the job to end it earlier"
        )


def _merged(before: Mapping[str, str], changes: Mapping[str, str | None] | None) -> dict[str, str]:
    both = {**before, **(changes or {})}
    return {key: value for key, value in both.items() if value is not None}


def _valid_job(
    before: JobRecord,
    spec: Mapping[str, Any],
    labels: Mapping[str, str],
    annotations: Mapping[str, str],
) -> VPPOJob:
    metadata = {
        "name": before.name,
        "namespace": before.namespace,
        "labels": labels,
        "annotations": annotations,
    }
    return job_from_document(
        {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": dict(spec)}
    )


def _events(
    before: JobRecord, job: VPPOJob, scalars: Mapping[str, Any], actor: str
) -> tuple[NewEvent, ...]:
    found: list[tuple[str, str, dict[str, Any]]] = []
    if "desiredState" in scalars:
        reason, message = _REQUESTS[job.spec.desired_state]
        payload = {"phase": before.phase, "desiredState": job.spec.desired_state}
        found.append((reason, message, payload))
    others: dict[str, Any] = {k: value for k, value in scalars.items() if k != "desiredState"}
    for field in ("labels", "annotations"):
        if getattr(job.metadata, field) != getattr(before, field):
            others[field] = getattr(job.metadata, field)
    if others:
        message = f"Changed: {', '.join(others)}."
        found.append(("Changed", message, {"phase": before.phase, "changes": others}))
    return tuple(
        NewEvent(actor=actor, kind=AUDIT, reason=reason, message=message, payload=payload)
        for reason, message, payload in found
    )
