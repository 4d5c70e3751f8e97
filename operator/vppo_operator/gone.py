"""Jobs whose object is gone: their rows are brought to an end."""

import logging
import shutil
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from vppo_core.archive.attempts import attempts_of
from vppo_core.archive.database import Database
from vppo_core.archive.errors import StoreUnavailableError
from vppo_core.archive.job_lists import active_jobs, expirable_jobs
from vppo_core.archive.jobs import mark_expired
from vppo_core.archive.mirror import unreleased_jobs
from vppo_core.archive.records import JobRecord
from vppo_core.lifecycle.decide import decide
from vppo_core.lifecycle.doing import usage_rows
from vppo_core.lifecycle.observed import QueueState
from vppo_core.runs.observe import JobFacts, observed
from vppo_operator.archiver import Archiver, Entry
from vppo_operator.attempt_files import Mirror

_log = logging.getLogger(__name__)

MAX_EXPIRED = 100


class Registrar:
    """Closes the books of jobs that were deleted, also while nobody was looking."""

    def __init__(self, db: Database | None, archiver: Archiver, mirror: Mirror) -> None:
        self._db = db
        self._archiver = archiver
        self._mirror = mirror

    def close_named(self, namespace: str, name: str, now: datetime, *, but: str = "") -> bool:
        """Close all jobs of a name but one; False when the archive does not answer."""
        if self._db is None:
            return True
        try:
            rows = unreleased_jobs(self._db, namespace, name)
            closed = [self._close(self._db, row, now) for row in rows if row.uid != but]
            return all(closed)
        except StoreUnavailableError as error:
            _log.warning("job %s/%s is gone, its row waits: %s", namespace, name, error)
            return False

    def living(self) -> list[JobRecord]:
        """Jobs that the archive takes for living. Read them before the objects: what has a row
        then had an object before.

        Raises:
            StoreUnavailableError.
        """
        return active_jobs(self._db) if self._db is not None else []

    def close_missing(
        self,
        living: Sequence[JobRecord],
        present: Collection[str],
        namespaces: Collection[str],
        now: datetime,
    ) -> int:
        """Close those of the jobs that are not there any more; how many.

        Args:
            present: uids of all job objects of these namespaces.
            namespaces: those that were looked at; none named means all.

        Raises:
            StoreUnavailableError.
        """
        missing = [
            row
            for row in living
            if row.uid not in present and (not namespaces or row.namespace in namespaces)
        ]
        return sum(self._close(self._db, row, now) for row in missing if self._db is not None)

    def expire(self, now: datetime) -> None:
        """Remove the files of jobs whose time to live is over.

        Raises:
            StoreUnavailableError, OSError.
        """
        if self._db is None:
            return
        for row in expirable_jobs(self._db, now, MAX_EXPIRED):
            self.remove_files(row.uid)
            mark_expired(self._db, row.uid, now)

    def remove_files(self, uid: str) -> None:
        """Remove the mirror of a run folder.

        Raises:
            OSError: the disk refuses.
        """
        folder = self._mirror.folder(uid).path
        if folder.is_dir():
            shutil.rmtree(folder)

    def _close(self, db: Database, row: JobRecord, now: datetime) -> bool:
        record = replace(row, deletion_requested=row.deletion_requested or now)
        attempts = attempts_of(db, row.uid)
        facts = JobFacts(
            record=record, attempts=tuple((one, None) for one in attempts), checkpoints=()
        )
        plan = decide(observed(facts, QueueState(is_admitted=False), now=now))
        is_written = self._archiver.write(
            Entry(
                record=record,
                status=plan.status,
                attempts=plan.attempts,
                events=plan.events,
                usage=usage_rows(plan, plan.attempts, now),
                now=now,
                is_released=True,
            )
        )
        self._archiver.forget(row.uid)
        return is_written
