"""One job, once: observe -> decide -> write down -> act.

What is decided is written before anything is done, and what is done can be done again: a program
that is killed between any two lines here goes on from there when it is started again.
"""

import logging
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from vppo_core.archive.checkpoints import (
    checkpoints_of,
    record_checkpoint,
    set_checkpoint_deleted,
)
from vppo_core.archive.database import Database
from vppo_core.archive.errors import JobNotFoundError
from vppo_core.archive.jobs import mark_expired, mark_released, write_plan
from vppo_core.archive.records import JobRecord
from vppo_core.instruments import JobCounters
from vppo_core.lifecycle.actions import (
    Action,
    ArchiveJob,
    DeleteAttempt,
    ExpireJob,
    Plan,
    ReleaseJob,
    RequestStop,
    StartAttempt,
)
from vppo_core.lifecycle.decide import decide
from vppo_core.lifecycle.doing import job_of_attempt, usage_rows
from vppo_core.lifecycle.observed import QueueState
from vppo_core.lifecycle.offers import pool_of
from vppo_core.logs import note
from vppo_core.runs.files import checkpoint_lines
from vppo_core.runs.observe import JobFacts, observed
from vppo_core.spec.platform import PlatformSpec
from vppo_core.spec.status import AttemptStatus
from vppo_services.local import checkpoints
from vppo_services.local.launcher import Launcher
from vppo_services.local.reading import read_facts

_log = logging.getLogger(__name__)


class Reconciler:
    """Brings one job at a time to where it should be."""

    def __init__(
        self, db: Database, launcher: Launcher, platform: PlatformSpec, counters: JobCounters
    ) -> None:
        self._db = db
        self._counters = counters
        self._launcher = launcher
        self._platform = platform
        self._sizes: dict[str, int] = {}

    def reconcile(self, record: JobRecord, queue: QueueState, now: datetime) -> tuple[Plan, int]:
        """What was done about a job, and the version of its row that this was about.

        Raises:
            StoreUnavailableError, OSError: not everything was done; the next round goes on.
        """
        uid = record.uid
        facts = read_facts(self._db, self._launcher, record)
        if self._follow_checkpoints(facts, now):
            facts = read_facts(self._db, self._launcher, record)
        plan = decide(observed(facts, queue, now=now))
        recorded = {known.index: known for known, _ in facts.attempts}
        for attempt in plan.attempts:
            if attempt.ended is not None and _is_open(recorded.get(attempt.index)):
                self._launcher.sweep(uid, attempt.index)
        changed = [one for one in plan.attempts if recorded.get(one.index) != one]
        after = None
        if changed or plan.events or plan.status != record.status:
            after = write_plan(
                self._db,
                uid,
                status=plan.status,
                attempts=changed,
                events=plan.events,
                usage=usage_rows(plan, changed, now),
                now=now,
            )
            known = tuple(recorded.values())
            self._counters.count(
                record.status, known, plan.attempts, created=record.created, now=now
            )
        self._end_lingering(facts, now)
        for action in plan.actions:
            self._apply(record, action, now)
        if not any(one.ended is None for one in plan.attempts):
            self._sizes.pop(uid, None)
        # A higher version than that of our own write holds somebody's change: it was not looked at.
        is_ours = after is not None and after.version == record.version + 1
        return plan, record.version + is_ours

    def _apply(self, record: JobRecord, action: Action, now: datetime) -> None:
        uid = record.uid
        match action:
            case StartAttempt():
                note(attempt=action.index)
                pool = pool_of(record.spec, self._platform)
                self._launcher.start(
                    job_of_attempt(record.job, action),
                    uid=uid,
                    index=action.index,
                    resume=action.resume,
                    devices=pool.devices if pool else "",
                )
            case RequestStop():
                self._launcher.request_stop(
                    uid=uid,
                    index=action.index,
                    reason=action.reason,
                    requested=now,
                    deadline=action.deadline,
                )
            case DeleteAttempt():
                self._launcher.kill(uid, action.index)
            case ArchiveJob():
                pass  # the row that was just written is the archive
            case ReleaseJob():
                mark_released(self._db, uid, now)
            case ExpireJob():
                self._expire(uid, now)

    def _end_lingering(self, facts: JobFacts, now: datetime) -> None:
        """End what has said its last word and does not go within the grace of a stop."""
        grace = timedelta(seconds=facts.record.spec.scheduling.stop_grace_seconds)
        for known, view in facts.attempts:
            if view is None or view.exit is None or not view.is_live:
                continue
            if now >= view.exit.ended + grace:
                self._launcher.kill(facts.record.uid, known.index)

    def _expire(self, uid: str, now: datetime) -> None:
        """Remove the run's folder; checkpoints that lie elsewhere belong to the user."""
        folder = self._launcher.folder(uid).path
        checkpoints.remove_files(folder)
        for one in checkpoints_of(self._db, uid):
            if Path(one.uri).is_relative_to(folder) and not Path(one.uri).exists():
                self._note_deleted(uid, one.step, now)
        mark_expired(self._db, uid, now)

    def _follow_checkpoints(self, facts: JobFacts, now: datetime) -> bool:
        """Write down new checkpoints and those that are gone; whether there was a change."""
        uid = facts.record.uid
        if not any(_is_open(known) for known, _ in facts.attempts):
            return False
        path = self._launcher.folder(uid).checkpoint_lines
        size = path.stat().st_size if path.exists() else 0
        if size == self._sizes.get(uid, 0):
            return False
        lines = checkpoint_lines(path)
        known = {one.step: one for one in facts.checkpoints}
        present = checkpoints.existing(
            {line.uri for line in lines.values()} | {one.uri for one in known.values()}
        )
        for step, line in sorted(lines.items()):
            if line.uri in present and _differs(line.created, known.get(step)):
                record_checkpoint(self._db, uid, line.as_record())
        for one in checkpoints_of(self._db, uid):
            if one.uri not in present:
                self._note_deleted(uid, one.step, now)
        self._sizes[uid] = size
        return True

    def _note_deleted(self, uid: str, step: int, now: datetime) -> None:
        with suppress(JobNotFoundError):  # a person deleted it at the same time
            set_checkpoint_deleted(self._db, uid, step, now)


def _is_open(attempt: AttemptStatus | None) -> bool:
    return attempt is not None and attempt.ended is None


def _differs(created: datetime, known: object) -> bool:
    return getattr(known, "created", None) != created
