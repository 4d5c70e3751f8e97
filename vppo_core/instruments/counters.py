"""What happened to jobs, counted by who runs them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from prometheus_client import CollectorRegistry

from vppo_core.catalogue import EVERY
from vppo_core.instruments.living import waiting_since
from vppo_core.instruments.made import Instruments
from vppo_core.lifecycle.ledger import usage_of
from vppo_core.spec.status import AttemptStatus, FailureClass, JobPhase, Outcome, VPPOJobStatus

PRODUCTIVE: Final = "productive"
LOST: Final = "lost"
IDLE: Final = "idle"
"""Held and spent on no step: start-up, and what is around the steps."""

_KEYS: Final = (
    "attempts_started",
    "attempt_failures",
    "silent_restarts",
    "gpu_seconds",
    "queue_wait_seconds",
    "archive_backlog",
    "archive_lag_seconds",
)


class JobCounters:
    """Counters over all jobs. They start at 0 with the program, as counters may.

    What is told here must be written down already: a look that is done again, or by another
    program, then finds it in the record and tells nothing.
    """

    def __init__(self, registry: CollectorRegistry, *, holds_at_once: bool) -> None:
        """Register them.

        Args:
            holds_at_once: whether an attempt has its machines when it is begun, as on one machine;
                on a cluster that is seen later, if it has to wait for them.
        """
        self._holds_at_once = holds_at_once
        self._made = Instruments(
            registry,
            [EVERY[key] for key in _KEYS],
            known={
                "attempt_failures": [(failure.value,) for failure in FailureClass],
                "gpu_seconds": [(PRODUCTIVE,), (LOST,), (IDLE,)],
            },
        )

    def count(
        self,
        status: VPPOJobStatus,
        known: Sequence[AttemptStatus],
        attempts: Sequence[AttemptStatus],
        *,
        created: datetime,
        now: datetime,
    ) -> None:
        """Count what a look changed.

        Args:
            status: the job's status before it.
            known: all attempts as they were recorded before it.
            attempts: all attempts as they are recorded now.
            created: when the job was accepted.
        """
        recorded = {one.index: one for one in known}
        for one in attempts:
            before = recorded.get(one.index)
            if before is None:
                self._made.inc("attempts_started")
            line = self._line(status, before, one, created=created, now=now)
            if line is not None:
                wait = (line[1] - line[0]).total_seconds()
                self._made.observe("queue_wait_seconds", max(wait, 0.0))
            if one.ended is not None and (before is None or before.ended is None):
                self._count_end(one, now)

    def count_restarts(self, number: int) -> None:
        """Drivers that began again inside one attempt."""
        self._made.inc("silent_restarts", by=number)

    def set_archive(self, *, behind: int, lag_seconds: float) -> None:
        """How many jobs wait to be written to the archive, and for how long the first has."""
        self._made.set("archive_backlog", behind)
        self._made.set("archive_lag_seconds", max(lag_seconds, 0.0))

    def _line(
        self,
        status: VPPOJobStatus,
        before: AttemptStatus | None,
        attempt: AttemptStatus,
        *,
        created: datetime,
        now: datetime,
    ) -> tuple[datetime, datetime] | None:
        """When the job got into line and out of it, if the attempt just got its machines."""
        if attempt.waiting or attempt.ended is not None:
            return None
        if before is not None and before.waiting:
            return waiting_since(status) or before.created, now
        if self._holds_at_once:
            new = status.phase is JobPhase.PENDING
            since = waiting_since(status) or (created if new else now)
            return (since, now) if before is None else None
        if attempt.started is None or (before and before.started) or attempt.admitted:
            return None
        # It never waited: what the job waited for before its first attempt counts.
        return (created if attempt.index == 1 else attempt.created), attempt.created

    def _count_end(self, attempt: AttemptStatus, now: datetime) -> None:
        if attempt.outcome in (Outcome.FAILED, Outcome.LOST):
            failure = attempt.failure_class or FailureClass.APP_FAILED
            self._made.inc("attempt_failures", failure.value)
        usage = usage_of([attempt], now)
        productive, lost = usage.gpu_seconds_productive, usage.gpu_seconds_lost
        idle = max(usage.gpu_seconds_allocated - productive - lost, 0.0)
        for use, seconds in ((PRODUCTIVE, productive), (LOST, lost), (IDLE, idle)):
            self._made.inc("gpu_seconds", use, by=seconds)
