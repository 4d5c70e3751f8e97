"""The part of the store that reads what the archive remembers of a job."""

from collections.abc import Sequence

from vppo_core.archive import attempts, checkpoints, events
from vppo_core.archive.database import Database
from vppo_core.archive.records import CheckpointRecord, EventRecord
from vppo_core.spec.status import AttemptStatus


class HistoryStore:
    """Events, attempts and checkpoints by a job's uid, of one machine or of a cluster."""

    _db: Database

    def events(self, uid: str, *, after: int = 0, limit: int = 100) -> Sequence[EventRecord]:
        """Events of a job with a higher `seq`, oldest first."""
        return events.events_after(self._db, uid, after=after, limit=limit)

    def attempts(self, uid: str) -> Sequence[AttemptStatus]:
        """Every attempt, oldest first."""
        return attempts.attempts_of(self._db, uid)

    def checkpoints(self, uid: str) -> Sequence[CheckpointRecord]:
        """Checkpoints that exist, oldest first."""
        return checkpoints.checkpoints_of(self._db, uid)
