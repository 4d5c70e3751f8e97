"""What a job left behind: attempts and checkpoints here, files in `files.py`."""

from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path

from vppo_core.archive.records import CheckpointRecord
from vppo_core.spec.base import SpecModel
from vppo_core.spec.status import AttemptStatus, Outcome
from vppo_services.api.deps import Caller, StoreDep, allowed
from vppo_services.api.parameters import JobName, JobUid

router = APIRouter(tags=["history"])

READS: Final = Depends(allowed("get", "vppojobs"))
Step = Annotated[int, Path(ge=0, le=10**9, description="Step of the checkpoint.")]


class Attempt(AttemptStatus):
    """An attempt and what it lost."""

    lost_steps: int = 0
    """Steps that it finished, never saved, and that were or will be done again."""


class AttemptPage(SpecModel):
    """All attempts of a job, oldest first."""

    items: tuple[Attempt, ...]
    next_cursor: None = None
    """Always null: there is one page."""


class Checkpoint(SpecModel):
    """A checkpoint that exists."""

    step: int
    """Steps done."""

    uri: str
    """Where it lies."""

    attempt: int
    """Attempt that wrote it."""

    size_bytes: int
    """Size of all its files."""

    created: datetime
    """When it was complete."""

    metrics: dict[str, float]
    """Values of its step to choose by."""

    is_promoted: bool
    """Whether it is kept for good."""


class CheckpointPage(SpecModel):
    """Checkpoints that exist, oldest first."""

    items: tuple[Checkpoint, ...]
    next_cursor: None = None
    """Always null: there is one page."""


@router.get("/jobs/{name}/attempts", dependencies=[READS], summary="Attempts of a job")
def list_attempts(name: JobName, store: StoreDep, uid: JobUid = None) -> AttemptPage:
    """Every attempt, with how it ended and the steps that it lost."""
    record = store.get(name, uid=uid)
    return AttemptPage(items=tuple(_attempt(status) for status in store.attempts(record.uid)))


def _attempt(status: AttemptStatus) -> Attempt:
    return Attempt(**status.model_dump(), lost_steps=lost_steps(status))


def lost_steps(status: AttemptStatus) -> int:
    """Steps of an ended attempt behind its last checkpoint; none of a live or successful one."""
    if status.outcome in (None, Outcome.SUCCEEDED):
        return 0
    # An attempt that saved nothing goes back to where it started from.
    return max(0, status.last_step - max(status.checkpoint_step, status.first_step))


@router.get("/jobs/{name}/checkpoints", dependencies=[READS], summary="Checkpoints of a job")
def list_checkpoints(name: JobName, store: StoreDep, uid: JobUid = None) -> CheckpointPage:
    """Checkpoints that exist, with values to choose by."""
    record = store.get(name, uid=uid)
    rows = store.checkpoints(record.uid)
    return CheckpointPage(items=tuple(_checkpoint(row) for row in rows))


@router.post(
    "/jobs/{name}/checkpoints/{step}:promote", status_code=202, summary="Keep a checkpoint for good"
)
def promote_checkpoint(
    name: JobName,
    step: Step,
    store: StoreDep,
    caller: Annotated[Caller, Depends(allowed("patch", "vppojobs"))],
) -> Checkpoint:
    """Keep it whatever `checkpoint.keepLast` and the job's expiry say. Twice is as once."""
    return _checkpoint(store.promote_checkpoint(name, step, actor=caller.name))


@router.delete("/jobs/{name}/checkpoints/{step}", status_code=202, summary="Remove a checkpoint")
def delete_checkpoint(
    name: JobName,
    step: Step,
    store: StoreDep,
    caller: Annotated[Caller, Depends(allowed("delete", "vppojobs"))],
) -> Checkpoint:
    """Remove its files. The newest one of a job that is not finished stays: 409."""
    return _checkpoint(store.delete_checkpoint(name, step, actor=caller.name))


def _checkpoint(row: CheckpointRecord) -> Checkpoint:
    return Checkpoint(
        step=row.step,
        uri=row.uri,
        attempt=row.attempt,
        size_bytes=row.size_bytes,
        created=row.created,
        metrics=row.metrics,
        is_promoted=row.is_promoted,
    )
