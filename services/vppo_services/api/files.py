"""Files of a run over HTTP: artifacts and sampled answers, unable to act on the API."""

import hashlib
import stat
from datetime import UTC, datetime
from pathlib import Path as FilePath
from typing import Annotated, Final
from urllib.parse import quote

from fastapi import APIRouter, Depends, Header, Path, Request
from fastapi.responses import FileResponse, Response

from vppo_core.archive.errors import JobNotFoundError
from vppo_core.archive.run_records import Artifact
from vppo_core.spec.base import SpecModel
from vppo_services.api.deps import NamespaceDep, SettingsDep, StoreDep, allowed
from vppo_services.api.feeds import to_json
from vppo_services.api.parameters import JobName, JobUid

router = APIRouter(tags=["history"])

READS: Final = Depends(allowed("get", "vppojobs"))

SANDBOX: Final = "sandbox; default-src 'none'"
# The report's own scripts run, in an origin of their own, and reach nothing.
REPORT_SANDBOX: Final = (
    "sandbox allow-scripts allow-downloads; default-src 'none'; script-src 'unsafe-inline'; "
    "style-src 'unsafe-inline'; img-src data: blob:; font-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'"
)
_REPORT: Final = "report.html"
_SHOWN: Final = ("image/png", "image/jpeg", "text/plain", "application/json")


class ArtifactItem(SpecModel):
    """A file that the run left behind."""

    path: str
    """Below the run's folder."""

    size_bytes: int
    """Its size."""

    modified: datetime
    """When it was written last."""

    media_type: str
    """What it is."""

    href: str
    """Where to download it."""


class ArtifactPage(SpecModel):
    """Files of the run: report, summary, samples, model."""

    items: tuple[ArtifactItem, ...]
    next_cursor: None = None
    """Always null: there is one page."""


class SpotlightSteps(SpecModel):
    """Steps with sampled answers."""

    steps: tuple[int, ...]
    """Oldest first."""


@router.get("/jobs/{name}/artifacts", dependencies=[READS], summary="Files of a job")
def list_artifacts(
    name: JobName,
    request: Request,
    store: StoreDep,
    namespace: NamespaceDep,
    settings: SettingsDep,
    uid: JobUid = None,
) -> ArtifactPage:
    """Files that the run left behind; checkpoints have a list of their own."""
    record = store.get(name, uid=uid)
    base = request.url.path
    where = f"&namespace={namespace}" if namespace != settings.namespace else ""
    return ArtifactPage(
        items=tuple(
            ArtifactItem(
                path=file.path,
                size_bytes=file.size_bytes,
                modified=datetime.fromtimestamp(file.modified_seconds, UTC),
                media_type=file.media_type,
                href=f"{base}/{quote(file.path)}?uid={record.uid}{where}",
            )
            for file in store.artifacts(record.uid)
        )
    )


@router.get(
    "/jobs/{name}/artifacts/{path:path}",
    dependencies=[READS],
    response_class=FileResponse,
    summary="Download a file of a job",
    responses={
        206: {"description": "The ranges asked for."},
        416: {"description": "No such range."},
    },
)
def download_artifact(
    name: JobName,
    path: Annotated[str, Path(max_length=1024, description="As the list of artifacts says.")],
    store: StoreDep,
    uid: JobUid = None,
) -> FileResponse:
    """The file, whole or in ranges. A browser can show it, but it cannot act on this API."""
    record = store.get(name, uid=uid)
    # Only what the list names: no spelling of a path can lead anywhere else.
    listed = next((file for file in store.artifacts(record.uid) if file.path == path), None)
    if listed is None:
        raise _no_such_file(path)
    return _reply(listed, store.artifact_path(record.uid, path))


def _reply(listed: Artifact, place: FilePath) -> FileResponse:
    try:
        real = place.resolve(strict=True)
        facts = real.stat()
    except OSError as error:
        raise _no_such_file(listed.path) from error
    folder = place.parents[listed.path.count("/")]
    if not real.is_relative_to(folder.resolve()) or not stat.S_ISREG(facts.st_mode):
        raise _no_such_file(listed.path)
    is_report = listed.path == _REPORT
    shown = is_report or listed.media_type in _SHOWN
    return FileResponse(
        real,
        stat_result=facts,
        media_type=listed.media_type,
        filename=place.name,
        content_disposition_type="inline" if shown else "attachment",
        headers={
            "Content-Security-Policy": REPORT_SANDBOX if is_report else SANDBOX,
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "private, no-cache",
        },
    )


def _no_such_file(path: str) -> JobNotFoundError:
    return JobNotFoundError(
        f"an artifact must be one that the job has, got {path[:128]!r}; list its artifacts"
    )


@router.get("/jobs/{name}/spotlight", dependencies=[READS], summary="Steps with sampled answers")
def list_spotlight(name: JobName, store: StoreDep, uid: JobUid = None) -> SpotlightSteps:
    """Steps whose sampled answers can be looked at."""
    record = store.get(name, uid=uid)
    return SpotlightSteps(steps=tuple(store.spotlight_steps(record.uid)))


@router.get(
    "/jobs/{name}/spotlight/{step}",
    dependencies=[READS],
    summary="Sampled answers of a step",
    response_class=Response,
    responses={
        200: {"content": {"application/json": {"schema": {"type": "object"}}}},
        304: {"description": "Unchanged since the `If-None-Match` that was sent."},
    },
)
def get_spotlight(
    name: JobName,
    step: Annotated[int, Path(ge=0, le=10**9, description="One of the steps listed.")],
    store: StoreDep,
    uid: JobUid = None,
    if_none_match: Annotated[str, Header(max_length=1024)] = "",
) -> Response:
    """Problem, image, tokens and their dependency, as the driver wrote them.

    With `?uid=` and for a finished job the answer never changes and may be kept; a running job may
    do the step again in a later attempt.
    """
    record = store.get(name, uid=uid)
    body = to_json(store.spotlight(record.uid, step))
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    is_fixed = uid is not None and record.phase.is_final
    headers = {
        "ETag": tag,
        "Cache-Control": "private, max-age=31536000, immutable"
        if is_fixed
        else "private, no-cache",
    }
    if tag in if_none_match:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)
