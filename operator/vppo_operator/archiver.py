"""Writes jobs into the archive, and keeps what it could not write until the archive is back."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from vppo_core.archive.attempts import attempts_of
from vppo_core.archive.checkpoints import record_checkpoint
from vppo_core.archive.database import Database
from vppo_core.archive.errors import JobNotFoundError, StoreUnavailableError
from vppo_core.archive.jobs import get_job, mark_expired, mark_released, write_plan
from vppo_core.archive.mirror import mirror_job
from vppo_core.archive.records import CheckpointRecord, JobRecord
from vppo_core.lifecycle.actions import JobEvent
from vppo_core.lifecycle.ledger import UsageBucket
from vppo_core.spec.status import AttemptStatus, VPPOJobStatus

_log = logging.getLogger(__name__)

MAX_BACKLOG: Final = 10_000
"""Jobs that are kept in memory; their objects hold the rest, and the next resync writes it."""

MAX_EVENTS: Final = 200
FIRST_PAUSE: Final = timedelta(seconds=2)
LAST_PAUSE: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What there is to write about a job."""

    record: JobRecord
    status: VPPOJobStatus
    attempts: Sequence[AttemptStatus] = ()
    events: Sequence[JobEvent] = ()
    usage: Mapping[int, Sequence[UsageBucket]] = field(default_factory=dict)
    checkpoints: Sequence[CheckpointRecord] = ()
    now: datetime
    is_released: bool = False
    is_expired: bool = False

    def followed_by(self, later: "Entry") -> "Entry":
        """Both as one: the later state, the events of both."""
        attempts = {one.index: one for one in (*self.attempts, *later.attempts)}
        checkpoints = {one.step: one for one in (*self.checkpoints, *later.checkpoints)}
        return replace(
            later,
            attempts=tuple(attempts[index] for index in sorted(attempts)),
            events=(*self.events, *later.events)[-MAX_EVENTS:],
            usage={**self.usage, **later.usage},
            checkpoints=tuple(checkpoints.values()),
            is_released=self.is_released or later.is_released,
            is_expired=self.is_expired or later.is_expired,
        )


class Archiver:
    """The operator's way to the archive. Threads may share it; nobody waits long for it."""

    def __init__(self, db: Database | None, clock: Callable[[], datetime]) -> None:
        """Nothing is read or written yet.

        Args:
            db: None: there is no archive, and nothing is kept.
        """
        self._db = db
        self._clock = clock
        self._lock = threading.Lock()
        self._backlog: dict[str, Entry] = {}
        self._since: dict[str, datetime] = {}
        self._pause = FIRST_PAUSE
        self._next_try: datetime | None = None
        self._written: dict[str, Entry] = {}
        self.trouble = ""
        """Why nothing can be written now; empty while all is well."""

    @property
    def exists(self) -> bool:
        """Whether there is an archive at all."""
        return self._db is not None

    @property
    def behind(self) -> int:
        """Jobs that wait to be written."""
        return len(self._backlog)

    @property
    def waiting_since(self) -> datetime | None:
        """When the oldest change was made that is not written; None while nothing waits."""
        # Without the lock, which is held as long as a write takes: a scrape must not wait for that.
        return min(list(self._since.values()), default=None)

    def attempts_of(self, uid: str) -> list[AttemptStatus] | None:
        """All attempts that it has of a job; None while it is away."""
        if self._db is None:
            return []
        if self._is_pausing():
            return None
        try:
            found = attempts_of(self._db, uid)
        except StoreUnavailableError as error:
            self._fails(error)
            return None
        return found

    def status_of(self, uid: str) -> VPPOJobStatus | None:
        """The status that it has of a job; None where it has none, or is away."""
        if self._db is None or self._is_pausing():
            return None
        try:
            return get_job(self._db, "", uid=uid).status
        except JobNotFoundError:
            return None
        except StoreUnavailableError as error:
            self._fails(error)
            return None

    def is_final(self, uid: str) -> bool:
        """Whether the end of a job is written, or there is nothing to write it to."""
        if self._db is None:
            return True
        known = self._written.get(uid)
        if known is not None:
            return known.status.phase.is_final and uid not in self._backlog
        if self._is_pausing():
            return False
        try:
            return get_job(self._db, "", uid=uid).phase.is_final
        except JobNotFoundError:
            return False
        except StoreUnavailableError as error:
            self._fails(error)
            return False

    def has(self, entry: Entry) -> bool:
        """Whether it holds this state of the job already, as far as this process knows."""
        known = self._written.get(entry.record.uid)
        return known is not None and (known.status, _asked(known)) == (entry.status, _asked(entry))

    def write(self, entry: Entry) -> bool:
        """Write it, or keep it until that can be done; whether it is written."""
        if self._db is None:
            return True
        with self._lock:
            earlier = self._backlog.pop(entry.record.uid, None)
            whole = earlier.followed_by(entry) if earlier else entry
            if not self._is_pausing() and self._try(self._db, whole):
                return True
            self._keep(whole)
            return False

    def forget(self, uid: str) -> None:
        """The job is gone: nothing more will be written about it."""
        self._written.pop(uid, None)

    def flush(self) -> None:
        """Write what was kept, if the archive is back."""
        while self._backlog and not self._is_pausing():
            with self._lock:
                uid = next(iter(self._backlog), None)
                entry = self._backlog.pop(uid) if uid is not None else None
                if entry is not None and self._db is not None and not self._try(self._db, entry):
                    self._keep(entry)

    def _try(self, db: Database, entry: Entry) -> bool:
        uid = entry.record.uid
        before = self._written.get(uid)
        known = before.checkpoints if before else ()
        try:
            mirror_job(db, entry.record, entry.now)
            write_plan(
                db,
                uid,
                status=entry.status,
                attempts=entry.attempts,
                events=entry.events,
                usage=entry.usage,
                now=entry.now,
            )
            for one in entry.checkpoints:
                if one not in known:
                    record_checkpoint(db, uid, one)
            if entry.is_released:
                mark_released(db, uid, entry.now)
            if entry.is_expired:
                mark_expired(db, uid, entry.now)
        except StoreUnavailableError as error:
            self._fails(error)
            return False
        if self.trouble:
            _log.info("the archive is back")
        self.trouble, self._pause, self._next_try = "", FIRST_PAUSE, None
        self._since.pop(uid, None)
        self._written[uid] = replace(
            entry, events=(), usage={}, checkpoints=entry.checkpoints or known, attempts=()
        )
        return True

    def _keep(self, entry: Entry) -> None:
        if len(self._backlog) >= MAX_BACKLOG and entry.record.uid not in self._backlog:
            oldest = next(iter(self._backlog))
            _log.warning("job %s: its history is left out until the archive is back", oldest)
            del self._backlog[oldest]
            self._since.pop(oldest, None)
        self._backlog[entry.record.uid] = entry
        self._since.setdefault(entry.record.uid, entry.now)
        self._written.pop(entry.record.uid, None)

    def _is_pausing(self) -> bool:
        return self._next_try is not None and self._clock() < self._next_try

    def _fails(self, error: Exception) -> None:
        if not self.trouble:
            _log.warning("the archive cannot be reached, what is to be written waits: %s", error)
        self.trouble = f"The archive cannot be reached: {error}"
        self._next_try = self._clock() + self._pause
        self._pause = min(self._pause * 2, LAST_PAUSE)


def _asked(entry: Entry) -> tuple[object, ...]:
    """What the row has besides the status."""
    record = entry.record
    return (
        record.spec_json,
        record.labels,
        record.annotations,
        record.generation,
        record.deletion_requested,
    )
