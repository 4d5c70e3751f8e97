"""The loop of one machine: looks at every job each second and when something was asked.

    rows + files + processes --observe--> decide --> write down --> start, stop, end
        ^                                                                |
        +------------------ every second, and when woken ----------------+

It holds nothing that cannot be read again: killed at any point and started anew, it goes on.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

from vppo_core.archive.database import Database
from vppo_core.archive.job_lists import active_jobs, expirable_jobs
from vppo_core.archive.records import JobRecord
from vppo_core.errors import VPPOError
from vppo_core.lifecycle.failures import retry_time
from vppo_core.lifecycle.observed import QueueState
from vppo_core.logs import about
from vppo_core.spec.origin import request_of
from vppo_core.spec.platform import PlatformSpec
from vppo_services.local.job_series import JobSeries
from vppo_services.local.launcher import Launcher
from vppo_services.local.leadership import Leadership
from vppo_services.local.queueing import Standing, queue_states, without_position
from vppo_services.local.reading import Memory, standing
from vppo_services.local.reconcile import Reconciler

_log = logging.getLogger(__name__)

ROUND_SECONDS: Final = 1.0
PAUSE_SECONDS: Final = 0.2
"""Between two rounds, however often the loop is woken."""

RESYNC: Final = timedelta(seconds=60)
"""After this time a job is looked at although nothing about it changed."""

MAX_WAITING: Final = 100
"""Jobs of one round that only wait; a long queue must not keep the running ones waiting."""

MAX_EXPIRED: Final = 20
NOWHERE: Final = QueueState(is_admitted=False)
LONGEST_PAUSE: Final = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a job was when it was looked at last."""

    version: int
    queue: QueueState
    next_look: datetime
    failures: int = 0

    def is_stale(self, job: Standing, queue: QueueState, now: datetime) -> bool:
        """Whether more than its position in the queue may have changed."""
        return (
            self.version != job.record.version
            or now >= self.next_look
            or without_position(self.queue) != without_position(queue)
        )


class Loop:
    """Runs the jobs of one state folder; of several programs on it, one at a time."""

    def __init__(
        self,
        db: Database,
        launcher: Launcher,
        *,
        platform: PlatformSpec,
        clock: Callable[[], datetime],
        state: Path,
    ) -> None:
        """Nothing is read or started yet.

        Args:
            clock: the time, with its zone.
            state: folder of the lock that only one loop has.
        """
        self._db = db
        self._platform = platform
        self._clock = clock
        self.series = JobSeries(db)
        """What is told of the jobs while this program runs them."""

        self._reconciler = Reconciler(db, launcher, platform, self.series.counters)
        self._leadership = Leadership(state)
        self._memory = Memory()
        self._seen: dict[str, _Seen] = {}
        self._awake = threading.Event()
        self.failures = 0
        """Rounds of one job, or of all, that ended with an error since the start."""

    @property
    def is_leading(self) -> bool:
        """Whether this program runs the jobs; else another one does."""
        return self._leadership.is_held

    def wake(self) -> None:
        """Look at the jobs now rather than at the end of the second; from any thread."""
        self._awake.set()

    def run(self, stop: threading.Event) -> None:
        """Run the jobs until `stop` is set (and the loop woken), or wait for the right to do so.

        Attempts go on when it returns; the next loop adopts them.
        """
        try:
            while not stop.is_set():
                self._awake.clear()
                error = _guarded(self._round)
                if error is not None:
                    self.failures += 1
                    _log.error(
                        "the jobs cannot be looked at now: %s", error, exc_info=_trace(error)
                    )
                if not stop.wait(PAUSE_SECONDS):
                    self._awake.wait(ROUND_SECONDS - PAUSE_SECONDS)
        finally:
            self._leadership.give_up()

    def step(self) -> None:
        """Look at every job once and do what is to be done.

        Raises:
            StoreUnavailableError: the archive cannot be read; nothing was done.
        """
        now = self._clock()
        records = self._memory.of(active_jobs(self._db))
        line = self._line(records, now)
        self.series.show([job.record for job in line], self._platform, now)
        queues = queue_states(line, self._platform)
        for job in self._due(line, queues, now):
            self._look_at(job.record, queues[job.record.uid], now)
        for record in expirable_jobs(self._db, now, MAX_EXPIRED):
            self._look_at(record, NOWHERE, now)
        present = {record.uid for record in records}
        self._seen = {uid: seen for uid, seen in self._seen.items() if uid in present}

    def _round(self) -> None:
        if self._leadership.take():
            self.step()

    def _line(self, records: Sequence[JobRecord], now: datetime) -> list[Standing]:
        """The jobs before the gate, but for those whose rows cannot be read."""
        line: list[Standing] = []
        for record in records:
            error = _guarded(partial(_join, line, record, now))
            if error is not None and not self._is_paused(record.uid, now):
                self._note_failure(record, NOWHERE, error, now)
        return line

    def _due(
        self, line: Sequence[Standing], queues: dict[str, QueueState], now: datetime
    ) -> list[Standing]:
        """Jobs to look at: those that run or may run, then some of those that only wait."""
        running, changed, moved = [], [], []
        for job in line:
            uid = job.record.uid
            seen, queue = self._seen.get(uid), queues[uid]
            if self._is_paused(uid, now):
                continue
            if job.holds_pool or queue.is_admitted:
                running.append(job)
            elif seen is not None and seen.is_stale(job, queue, now):
                changed.append(job)
            elif seen is None or seen.queue != queue:
                moved.append(job)
        return [*running, *[*changed, *moved][:MAX_WAITING]]

    def _is_paused(self, uid: str, now: datetime) -> bool:
        """Whether it waits for its next try after an error; what it holds it keeps."""
        seen = self._seen.get(uid)
        return seen is not None and seen.failures > 0 and now < seen.next_look

    def _look_at(self, record: JobRecord, queue: QueueState, now: datetime) -> None:
        def look() -> None:
            plan, version = self._reconciler.reconcile(record, queue, now)
            wait = RESYNC
            if plan.requeue_after_seconds is not None:
                wait = min(wait, timedelta(seconds=plan.requeue_after_seconds))
            self._seen[record.uid] = _Seen(version, queue, now + wait)

        origin = request_of(record.annotations) or None
        with about(namespace=record.namespace, job=record.name, request=origin):
            error = _guarded(look)
            if error is not None:
                self._note_failure(record, queue, error, now)

    def _note_failure(
        self, record: JobRecord, queue: QueueState, error: Exception, now: datetime
    ) -> None:
        self.failures += 1
        seen = self._seen.get(record.uid)
        failures = (seen.failures if seen else 0) + 1
        pause = min(LONGEST_PAUSE, timedelta(seconds=2.0 ** min(failures, 10)))
        self._seen[record.uid] = _Seen(record.version, queue, now + pause, failures)
        _log.error(
            "job %s: nothing could be done now (%s); the next try is in %d s",
            record.uid,
            error,
            pause.total_seconds(),
            exc_info=_trace(error),
        )


def _guarded(work: Callable[[], None]) -> Exception | None:
    """The error that the work ended with, if it did.

    The one place that catches everything: neither a job that cannot be handled, nor a disk or a
    database that is away, may end the loop of all others.
    """
    try:
        work()
    except Exception as error:
        return error
    return None


def _trace(error: Exception) -> Exception | None:
    """The error where it is none that was raised on purpose: then its place matters."""
    return None if isinstance(error, VPPOError | OSError) else error


def _join(line: list[Standing], record: JobRecord, now: datetime) -> None:
    """A job in its back-off does not wait in line: others may have its pool meanwhile."""
    again = retry_time(record.uid, record.status.attempts)
    line.append(standing(record, is_resting=again is not None and now < again))
