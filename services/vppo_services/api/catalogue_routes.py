"""Routes of what there is: schemas, pools, queues; and of what is known about one job."""

import json
from functools import cache
from typing import Any, Final

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from vppo_core.spec.base import SpecModel
from vppo_core.spec.crd import vppojob_crd
from vppo_core.spec.platform import PlatformSpec, PoolOffer
from vppo_core.spec.schema import DIALECT, job_schema
from vppo_services.api.deps import AppStoreDep, StoreDep, allowed, allowed_anywhere
from vppo_services.api.parameters import JobName, JobUid

router = APIRouter(tags=["catalogue"])

JOB_READS: Final = Depends(allowed("get", "vppojobs"))
SCHEMA_JSON: Final = "application/schema+json"
OPENAPI_JSON: Final = "application/vnd.oai.openapi+json;version=3.1"


class PoolPage(SpecModel):
    """All pools."""

    items: tuple[PoolOffer, ...]
    """In the order of the platform file."""


class QueueItem(SpecModel):
    """A queue and how full it is."""

    name: str
    """Name, as `scheduling.queue` gives it."""

    pool: str
    """Pool that it feeds."""

    waiting: int
    """Jobs that wait."""

    running: int
    """Jobs that hold the pool."""


class QueuePage(SpecModel):
    """All queues."""

    items: tuple[QueueItem, ...]
    """In the order of the platform file; the first one takes jobs that name none."""


class CauseItem(SpecModel):
    """One fact behind an explanation."""

    reason: str
    """One word for programs."""

    message: str
    """One sentence for people."""


class ExplanationReply(SpecModel):
    """Why a job waits, or what it is doing."""

    sentence: str
    """The answer."""

    causes: tuple[CauseItem, ...]
    """The facts behind it."""

    hint: str
    """What may be done; empty when nothing need be."""


@router.get("/pools", dependencies=[Depends(allowed_anywhere("list", "pools"))], summary="Pools")
def list_pools(store: AppStoreDep) -> PoolPage:
    """Machines that hold one job at a time, and their prices."""
    return PoolPage(items=store.platform.pools)


@router.get("/queues", dependencies=[Depends(allowed("list", "queues"))], summary="Queues")
def list_queues(store: StoreDep) -> QueuePage:
    """Queues and how full they are."""
    return QueuePage(items=tuple(QueueItem(**queue) for queue in store.queues()))


@router.get("/jobs/{name}/explain", dependencies=[JOB_READS], summary="Why a job waits")
def explain_job(name: JobName, store: StoreDep) -> ExplanationReply:
    """Why the job waits, or what it is doing, in one sentence; with the facts behind it."""
    found = store.explain(name)
    causes = tuple(CauseItem(reason=one.reason, message=one.message) for one in found.causes)
    return ExplanationReply(sentence=found.sentence, causes=causes, hint=found.hint)


@router.get(
    "/jobs/{name}/manifest",
    dependencies=[JOB_READS],
    summary="What it takes to repeat a job",
    responses={200: {"content": {"application/json": {"schema": {"type": "object"}}}}},
    response_class=Response,
)
def get_manifest(name: JobName, store: StoreDep, uid: JobUid = None) -> Response:
    """Seed, spec, data and packages of the run."""
    manifest = store.manifest(store.get(name, uid=uid).uid)
    return Response(json.dumps(manifest), media_type="application/json")


SCHEMA_READS: Final = Depends(allowed_anywhere("get", "schemas"))


def _documented(media: str) -> dict[int | str, dict[str, Any]]:
    return {200: {"content": {media: {"schema": {"type": "object"}}}}}


@router.get(
    "/schema/job",
    dependencies=[SCHEMA_READS],
    summary="JSON schema of a job",
    responses=_documented(SCHEMA_JSON),
    response_class=Response,
)
async def get_job_schema() -> Response:
    """Every field of a job: type, bounds, default, description."""
    return Response(_job_schema_text(), media_type=SCHEMA_JSON)


@router.get(
    "/schema/platform",
    dependencies=[SCHEMA_READS],
    summary="JSON schema of a platform file",
    responses=_documented(SCHEMA_JSON),
    response_class=Response,
)
async def get_platform_schema() -> Response:
    """Every field of a platform file."""
    return Response(_platform_schema_text(), media_type=SCHEMA_JSON)


@router.get(
    "/schema/crd",
    dependencies=[SCHEMA_READS],
    summary="CustomResourceDefinition of VPPOJob",
    responses=_documented("application/json"),
    response_class=Response,
)
async def get_crd() -> Response:
    """What a cluster is told of VPPOJobs; `kubectl apply -f` takes it."""
    return Response(_crd_text(), media_type="application/json")


@router.get(
    "/schema/openapi",
    dependencies=[SCHEMA_READS],
    summary="This API as OpenAPI 3.1",
    responses=_documented(OPENAPI_JSON),
    response_class=Response,
)
def get_openapi(request: Request) -> Response:
    """Every path, parameter and reply."""
    return Response(json.dumps(request.app.openapi()), media_type=OPENAPI_JSON)


@cache
def _job_schema_text() -> str:
    return json.dumps(job_schema())


@cache
def _platform_schema_text() -> str:
    return json.dumps({"$schema": DIALECT, **PlatformSpec.model_json_schema(by_alias=True)})


@cache
def _crd_text() -> str:
    return json.dumps(vppojob_crd())
