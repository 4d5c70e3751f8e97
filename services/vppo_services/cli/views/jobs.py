"""Rows of job tables."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from vppo_core.spec.objects import JobObject
from vppo_services.cli.views.phases import phase_text, reason_of
from vppo_services.cli.views.tables import Cell, Column
from vppo_services.cli.views.times import age, span

NARROW: Final = (
    Column("NAME"),
    Column("PHASE"),
    Column("STEP", is_number=True),
    Column("ATTEMPT", is_number=True),
    Column("QUEUE"),
    Column("GPUS", is_number=True),
    Column("AGE", is_number=True),
)
WIDE: Final = (
    *NARROW,
    Column("STAGE"),
    Column("ETA", is_number=True),
    Column("CHECKPOINT", is_number=True),
    Column("REASON"),
    Column("MODEL", may_wrap=True),
    Column("UID"),
)


def job_rows(jobs: Sequence[JobObject], now: datetime, *, is_wide: bool) -> list[list[Cell]]:
    """A row for each job, as `NARROW` or `WIDE` has it."""
    return [_narrow(job, now) + (_more(job) if is_wide else []) for job in jobs]


def _narrow(job: JobObject, now: datetime) -> list[Cell]:
    status = job.status
    position = f" #{status.queue.position}" if status.queue.position else ""
    return [
        job.metadata.name,
        phase_text(status.phase),
        status.progress.display,
        str(status.attempt),
        (status.queue.name or job.spec.scheduling.queue) + position,
        str(status.usage.gpus),
        age(job.metadata.creation_timestamp, now),
    ]


def _more(job: JobObject) -> list[Cell]:
    status = job.status
    eta = status.progress.eta_seconds
    return [
        status.progress.stage,
        span(eta) if eta is not None and not status.phase.is_final else "",
        str(status.checkpoint.step) if status.checkpoint else "",
        reason_of(status)[0],
        job.spec.model.source,
        job.metadata.uid,
    ]
