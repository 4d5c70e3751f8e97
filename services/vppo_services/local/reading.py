"""Reads what is known about jobs: rows of the archive, files and processes of their attempts."""

from collections.abc import Collection, Iterable
from datetime import datetime

from vppo_core.archive.attempts import attempts_of
from vppo_core.archive.checkpoints import checkpoints_of
from vppo_core.archive.database import Database
from vppo_core.archive.job_lists import active_jobs
from vppo_core.archive.records import JobRecord
from vppo_core.lifecycle.observed import Observed, QueueState
from vppo_core.runs.observe import JobFacts, observed
from vppo_core.spec.platform import PlatformSpec
from vppo_core.spec.scheduling import DesiredState
from vppo_services.local.launcher import Launcher
from vppo_services.local.queueing import Standing, queue_states


class Memory:
    """Keeps the parsed form of rows that did not change: a queue of thousands is read each second.

    A row that changed has another version, so what is remembered is never wrong.
    """

    def __init__(self) -> None:
        self._records: dict[str, JobRecord] = {}

    def of(self, records: Iterable[JobRecord]) -> list[JobRecord]:
        """The same rows, as known objects where these are of the same version."""
        known = self._records
        found = []
        for record in records:
            earlier = known.get(record.uid)
            found.append(earlier if earlier and earlier.version == record.version else record)
        self._records = {record.uid: record for record in found}
        return found


def standing(record: JobRecord, *, is_resting: bool = False) -> Standing:
    """Whether a job holds a pool, or wants one.

    Args:
        is_resting: it waits out the delay before its next attempt.
    """
    attempts = record.status.attempts
    holds_pool = bool(attempts) and attempts[-1].ended is None
    is_waiting = (
        record.spec.desired_state is DesiredState.RUNNING
        and not record.phase.is_final
        and record.deletion_requested is None
        and not is_resting
    )
    return Standing(record=record, spec=record.spec, holds_pool=holds_pool, is_waiting=is_waiting)


def read_facts(db: Database, launcher: Launcher, record: JobRecord) -> JobFacts:
    """Everything about one job.

    Raises:
        StoreUnavailableError, OSError: nothing is known then.
    """
    if record.status.attempt == 0:
        return JobFacts(record=record, attempts=(), checkpoints=())
    attempts = attempts_of(db, record.uid)
    last = attempts[-1].index if attempts else 0
    return JobFacts(
        record=record,
        attempts=tuple(
            (
                known,
                launcher.look(record.uid, known.index)
                if known.ended is None or known.index == last
                else None,
            )
            for known in attempts
        ),
        checkpoints=tuple(checkpoints_of(db, record.uid)),
    )


class Observer:
    """Observes one job at a time, for people who ask."""

    def __init__(self, db: Database, launcher: Launcher, platform: PlatformSpec) -> None:
        self._db = db
        self._launcher = launcher
        self._platform = platform
        self._memory = Memory()

    def active(self) -> list[JobRecord]:
        """The jobs that the loop looks at, oldest first.

        Raises:
            StoreUnavailableError.
        """
        return self._memory.of(active_jobs(self._db))

    def observe(self, record: JobRecord, now: datetime) -> Observed:
        """The job among all others that wait.

        Raises:
            StoreUnavailableError.
        """
        states = self._queue_states([*self.active(), record])
        return observed(read_facts(self._db, self._launcher, record), states[record.uid], now=now)

    def _queue_states(self, records: Collection[JobRecord]) -> dict[str, QueueState]:
        by_uid = {record.uid: record for record in records}
        return queue_states([standing(record) for record in by_uid.values()], self._platform)
