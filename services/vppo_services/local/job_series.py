"""The series of this machine's jobs, as an operator has them on a cluster.

What a scrape costs does not grow with the jobs that are over: living ones are kept here by the
loop, and the others are counted by an index, now and then.
"""

import logging
import threading
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from prometheus_client import CollectorRegistry

from vppo_core.archive.database import Database
from vppo_core.archive.errors import StoreUnavailableError
from vppo_core.archive.job_lists import count_by_phase
from vppo_core.archive.records import JobRecord
from vppo_core.instruments import JobBoard, JobCounters
from vppo_core.instruments.living import open_attempts
from vppo_core.spec.platform import PlatformSpec
from vppo_core.spec.status import JobPhase

_log = logging.getLogger(__name__)

COUNT_AGAIN: Final = timedelta(seconds=60)
COUNT_AT_MOST: Final = timedelta(seconds=5)
"""So often, however many jobs end."""

_FINAL: Final = tuple(phase for phase in JobPhase if phase.is_final)


class JobSeries:
    """What the loop of a machine tells of its jobs. A loop that does not lead tells nothing."""

    def __init__(self, db: Database, registry: CollectorRegistry | None = None) -> None:
        """Register them, by default in a registry of their own."""
        self.registry = registry or CollectorRegistry()
        self.counters = JobCounters(self.registry, holds_at_once=True)
        self._board = JobBoard(self.registry, finished=self._finished)
        self._db = db
        self._versions: dict[str, int] = {}
        self._now: datetime | None = None
        self._counted: Mapping[JobPhase, int] = {}
        self._counted_at: datetime | None = None
        self._has_ended = False
        self._lock = threading.Lock()

    def show(self, records: Sequence[JobRecord], platform: PlatformSpec, now: datetime) -> None:
        """The jobs that the loop looks at, all of them, once a round."""
        living = [record for record in records if not record.phase.is_final]
        for record in living:
            if self._versions.get(record.uid) != record.version:
                self._board.put(
                    record.namespace,
                    record.name,
                    record.status,
                    spec=record.spec,
                    platform=platform,
                    created=record.created,
                    live_attempts=open_attempts(record.status),
                    now=now,
                )
        present = {(record.namespace, record.name) for record in living}
        for key in self._board.keys() - present:
            self._board.drop(*key)
        self._board.offer(platform)
        versions = {record.uid: record.version for record in living}
        self._has_ended |= bool(self._versions.keys() - versions.keys())
        self._versions = versions
        # The row of a job is its archive: nothing ever waits.
        self.counters.set_archive(behind=0, lag_seconds=0.0)
        self._now = now

    def _finished(self) -> Mapping[JobPhase, int]:
        """Jobs that are over, by phase; at every scrape."""
        with self._lock:
            now = self._now
            if now is None or not self._is_due(now):
                return self._counted
            self._has_ended = False
            try:
                self._counted = count_by_phase(self._db, _FINAL)
                self._counted_at = now
            except StoreUnavailableError as error:
                _log.warning("jobs that are over cannot be counted now: %s", error)
            return self._counted

    def _is_due(self, now: datetime) -> bool:
        if self._counted_at is None:
            return True
        age = now - self._counted_at
        return age >= COUNT_AGAIN or (self._has_ended and age >= COUNT_AT_MOST)
