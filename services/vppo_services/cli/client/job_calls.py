"""Requests about jobs themselves: create, read, change, end."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from vppo_core.spec.job import VPPOJob
from vppo_core.spec.objects import JobObject
from vppo_core.spec.status import JobPhase
from vppo_services.cli.client.calls import Call, Query, Reply, job_path, parsed, reads
from vppo_services.cli.client.shapes import JobPage, Plan

JobLike = VPPOJob | Mapping[str, Any]
"""A checked job, or its mapping as a job file has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """Which jobs a list holds; empty means all."""

    phases: tuple[JobPhase, ...] = ()
    """Any of these."""

    queue: str = ""
    owner: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    """All of these."""

    annotations: Mapping[str, str] = field(default_factory=dict)
    """All of these."""

    created_after: datetime | None = None
    name_contains: str = ""


ALL_JOBS: Final = JobFilter()
MAX_LIMIT: Final = 100
"""Most jobs of a page."""

MAX_LINES: Final = 1000
"""Most events, numbers or log lines of a page."""


@dataclass(frozen=True, slots=True)
class Created:
    """A job that was accepted."""

    job: JobObject
    is_replay: bool
    """Whether an earlier request with the same key had made it."""


def create(job: JobLike, *, idempotency_key: str, plan_hash: str) -> Call[Created]:
    """Accept a job. With a key of its own it may be sent again without making a second job."""
    headers = {"idempotency-key": idempotency_key or uuid.uuid4().hex}
    if plan_hash:
        headers["if-plan-match"] = plan_hash
    return Call(method="POST", path="/jobs", read=_created, headers=headers, body=_document(job))


def plan(job: JobLike) -> Call[Plan]:
    """What would happen if the job were sent."""
    query: Query = [("dryRun", "true")]
    return Call(method="POST", path="/jobs", read=reads(Plan), query=query, body=_document(job))


def get(name: str, *, uid: str) -> Call[JobObject]:
    """A job."""
    query: Query = [("uid", uid)] if uid else []
    return Call(method="GET", path=job_path(name), read=reads(JobObject), query=query)


def jobs(wanted: JobFilter, *, limit: int, cursor: str | None) -> Call[JobPage]:
    """A page of jobs."""
    query: Query = [("limit", str(limit))]
    query += [("phase", phase.value) for phase in wanted.phases]
    given = {"queue": wanted.queue, "owner": wanted.owner, "name": wanted.name_contains}
    query += [(name, value) for name, value in given.items() if value]
    if wanted.labels:
        pairs = ",".join(f"{name}={value}" for name, value in wanted.labels.items())
        query.append(("labelSelector", pairs))
    query += [(f"metadata[{name}]", value) for name, value in wanted.annotations.items()]
    if wanted.created_after is not None:
        query.append(("createdAfter", wanted.created_after.isoformat()))
    if cursor:
        query.append(("cursor", cursor))
    return Call(method="GET", path="/jobs", read=reads(JobPage), query=query)


def patch(name: str, changes: Mapping[str, Any], *, version: str) -> Call[JobObject]:
    """A merge patch; only of `version`, if that is given."""
    return Call(
        method="PATCH",
        path=job_path(name),
        read=reads(JobObject),
        headers={"if-match": f'"{version}"'} if version else {},
        body=dict(changes),
        # With a version, the second time would meet the first one's change.
        is_repeatable=not version,
    )


def verb(name: str, word: str) -> Call[JobObject]:
    """`pause`, `resume` or `cancel`; asking twice changes nothing."""
    return Call(method="POST", path=f"{job_path(name)}:{word}", read=reads(JobObject))


def delete(name: str) -> Call[JobObject]:
    """Ask for deletion; asking twice changes nothing."""
    return Call(method="DELETE", path=job_path(name), read=reads(JobObject))


def clone(
    name: str, *, new_name: str, changes: Mapping[str, Any], idempotency_key: str
) -> Call[JobObject]:
    """A new job from the spec of another one."""
    body: dict[str, Any] = dict(changes)
    if new_name:
        body["metadata"] = {**body.get("metadata", {}), "name": new_name}
    path = f"{job_path(name)}:clone"
    return Call(
        method="POST",
        path=path,
        read=reads(JobObject),
        headers={"idempotency-key": idempotency_key or uuid.uuid4().hex},
        body=body,
        # The server makes up another name each time, and then the key is of another job.
        is_repeatable=bool(new_name),
    )


def _created(reply: Reply) -> Created:
    is_replay = reply.headers.get("idempotent-replayed", "") == "true"
    return Created(parsed(JobObject, reply.body), is_replay)


def _document(job: JobLike) -> dict[str, Any]:
    if isinstance(job, VPPOJob):
        return job.model_dump(mode="json", by_alias=True)
    return dict(job)
