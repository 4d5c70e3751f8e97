"""Routes of jobs: create, list, read, change, end."""

import json
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import Response

from vppo_core.archive.records import IdempotencyKey, JobChanges, JobRecord
from vppo_core.logs import note
from vppo_core.spec.job import VPPOJob
from vppo_core.spec.loading import job_from_document
from vppo_core.spec.objects import JobObject
from vppo_core.spec.scheduling import DesiredState
from vppo_services.api.auth import Access
from vppo_services.api.cloning import clone_of
from vppo_services.api.deps import (
    AppStoreDep,
    Caller,
    CallerDep,
    SettingsDep,
    StoreDep,
    allowed,
    check_permission,
)
from vppo_services.api.envelope import REQUEST_ID
from vppo_services.api.etags import etag_of, is_known, version_of
from vppo_services.api.job_body import (
    JobText,
    OptionalText,
    PatchText,
    read_mapping,
    read_submitted,
)
from vppo_services.api.job_query import METADATA_PARAMETER, JobQueryDep
from vppo_services.api.job_store import JobStore
from vppo_services.api.parameters import JobName, JobUid
from vppo_services.api.patching import changes_of
from vppo_services.api.placing import Placing, namespace_in
from vppo_services.api.plan import Plan, check_plan, plan_of
from vppo_services.api.request_docs import CLONE_BODY, CREATED, JOB_BODY, LISTED, PATCH_BODY, READ
from vppo_services.api.settings import ApiSettings

router = APIRouter(tags=["jobs"])

Reader = Annotated[Caller, Depends(allowed("get", "vppojobs"))]
Changer = Annotated[Caller, Depends(allowed("patch", "vppojobs"))]
Remover = Annotated[Caller, Depends(allowed("delete", "vppojobs"))]
READS: Final = Depends(allowed("get", "vppojobs"))
LISTS: Final = Depends(allowed("list", "vppojobs"))

Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[ -~]+$",
        description="Makes a repeated request the same request, for 24 hours.",
    ),
]
PlanHash = Annotated[
    str | None,
    Header(
        alias="If-Plan-Match",
        max_length=80,
        description="`planHash` of a plan: create only if it still holds.",
    ),
]
IfMatch = Annotated[
    str | None,
    Header(alias="If-Match", max_length=256, description="Change only this version: an `ETag`."),
]


@router.post(
    "/jobs",
    status_code=201,
    response_model=JobObject,
    responses=CREATED,
    openapi_extra=JOB_BODY,
    summary="Create a job, or plan one",
)
def create_job(
    request: Request,
    text: JobText,
    app_store: AppStoreDep,
    caller: CallerDep,
    placing: Annotated[Placing, Depends()],
    *,
    dry_run: Annotated[
        bool, Query(alias="dryRun", description="Answer with a plan; create nothing.")
    ] = False,
    idempotency_key: Key = None,
    if_plan_match: PlanHash = None,
) -> Response:
    """Accept a job: the object that `kubectl apply` and `vppo train` take, as JSON or YAML.
    `metadata.name` may be left out; the server makes one.

    A repeated request with the same `Idempotency-Key` and job answers 200 with the first job and
    `Idempotent-Replayed: true`; with another job 409.
    """
    document = read_submitted(text)
    place = placing.of(document)
    check_permission(caller, Access("create", "vppojobs", place))
    job, store = job_from_document(document), app_store.within(place)
    store.check(job)
    if if_plan_match is not None:
        check_plan(job, store.platform, if_plan_match)
    if dry_run:
        plan: Plan = plan_of(job, store)
        return Response(plan.model_dump_json(by_alias=True), media_type="application/json")
    key = IdempotencyKey(tenant=caller.name, key=idempotency_key) if idempotency_key else None
    record, is_replay = _create(request, store, job, caller, key)
    return _created(request.url.path, record, is_replay, placing.settings)


@router.get(
    "/jobs",
    dependencies=[LISTS],
    response_model=None,
    responses=LISTED,
    openapi_extra={"parameters": [METADATA_PARAMETER]},
    summary="List jobs, newest first",
)
def list_jobs(query: JobQueryDep, store: StoreDep) -> Response:
    """Live, finished and deleted jobs. `nextCursor` is null on the last page."""
    page = store.list_jobs(query)
    # Spliced: every job is JSON already.
    items = ",".join(record.as_json() for record in page.items)
    body = f'{{"items":[{items}],"nextCursor":{json.dumps(page.next_cursor)}}}'
    return Response(body, media_type="application/json")


@router.get(
    "/jobs/{name}",
    dependencies=[READS],
    response_model=JobObject,
    responses=READ,
    summary="Read a job",
)
def get_job(
    name: JobName,
    store: StoreDep,
    uid: JobUid = None,
    if_none_match: Annotated[
        str, Header(alias="If-None-Match", max_length=1024, description="An `ETag`.")
    ] = "",
) -> Response:
    """The newest job of that name; with `uid` an older one."""
    record = store.get(name, uid=uid)
    if is_known(record, if_none_match):
        return Response(status_code=304, headers=_headers(record))
    return _job(record)


@router.patch(
    "/jobs/{name}",
    response_model=JobObject,
    openapi_extra=PATCH_BODY,
    summary="Change a job",
)
def patch_job(
    name: JobName, text: PatchText, store: StoreDep, caller: Changer, if_match: IfMatch = None
) -> Response:
    """Apply a JSON merge patch. `spec.desiredState`, `priority`, `ttlSecondsAfterFinished`, labels
    and annotations may change; deadlines may only be raised; all else stays: clone the job."""
    patch = read_mapping(text)
    record = store.get(name)
    version = version_of(record, if_match)
    changes = changes_of(record, patch)
    return _job(store.patch(name, changes, actor=caller.name, if_version=version))


@router.delete("/jobs/{name}", status_code=202, response_model=JobObject, summary="Delete a job")
def delete_job(name: JobName, store: StoreDep, caller: Remover) -> Response:
    """Ask for deletion: a live attempt saves a checkpoint and ends first. The record stays, and
    the name is free afterwards."""
    return _job(store.delete(name, actor=caller.name), status=202)


@router.post("/jobs/{name}:pause", status_code=202, response_model=JobObject, summary="Pause a job")
def pause_job(name: JobName, store: StoreDep, caller: Changer) -> Response:
    """Save a checkpoint and end the attempt; the job keeps its place in the history."""
    return _want(store, name, DesiredState.PAUSED, caller)


@router.post(
    "/jobs/{name}:resume", status_code=202, response_model=JobObject, summary="Resume a job"
)
def resume_job(name: JobName, store: StoreDep, caller: Changer) -> Response:
    """Queue a paused job again; it goes on from its checkpoint."""
    return _want(store, name, DesiredState.RUNNING, caller)


@router.post(
    "/jobs/{name}:cancel", status_code=202, response_model=JobObject, summary="Cancel a job"
)
def cancel_job(name: JobName, store: StoreDep, caller: Changer) -> Response:
    """Save a checkpoint and end the job for good."""
    return _want(store, name, DesiredState.CANCELLED, caller)


@router.post(
    "/jobs/{name}:clone",
    status_code=201,
    response_model=JobObject,
    responses=CREATED,
    openapi_extra=CLONE_BODY,
    summary="Start a new job from the spec of another one",
)
def clone_job(
    request: Request,
    name: JobName,
    text: OptionalText,
    store: StoreDep,
    settings: SettingsDep,
    caller: Reader,
    *,
    uid: JobUid = None,
    idempotency_key: Key = None,
) -> Response:
    """The resolved spec, labels and annotations of the other job, with fields of the body
    changed."""
    body = read_mapping(text) if text.strip() else {}
    source = store.get(name, uid=uid)
    place = namespace_in(body, default=source.namespace, settings=settings)
    check_permission(caller, Access("create", "vppojobs", place))
    job, store = clone_of(source, body), store.within(place)
    store.check(job)
    key = IdempotencyKey(tenant=caller.name, key=idempotency_key) if idempotency_key else None
    record, is_replay = _create(request, store, job, caller, key)
    return _created(request.url.path.rpartition("/")[0], record, is_replay, settings)


def _create(
    request: Request, store: JobStore, job: VPPOJob, caller: Caller, key: IdempotencyKey | None
) -> tuple[JobRecord, bool]:
    made = store.create(
        job, owner=caller.name, idempotency=key, request_id=request.scope[REQUEST_ID]
    )
    note(job=made[0].name, namespace=made[0].namespace)
    return made


def _want(store: StoreDep, name: str, state: DesiredState, caller: Caller) -> Response:
    changes = JobChanges(desired_state=state.value)
    return _job(store.patch(name, changes, actor=caller.name), status=202)


def _created(jobs_path: str, record: JobRecord, is_replay: bool, settings: ApiSettings) -> Response:
    where = f"?namespace={record.namespace}" if record.namespace != settings.namespace else ""
    headers = {"Location": f"{jobs_path}/{record.name}{where}"}
    if is_replay:
        headers["Idempotent-Replayed"] = "true"
    return _job(record, status=200 if is_replay else 201, more=headers)


def _job(record: JobRecord, *, status: int = 200, more: dict[str, str] | None = None) -> Response:
    headers = {**_headers(record), **(more or {})}
    return Response(record.as_json(), status, headers=headers, media_type="application/json")


def _headers(record: JobRecord) -> dict[str, Any]:
    return {"ETag": etag_of(record), "Cache-Control": "private, no-cache"}
