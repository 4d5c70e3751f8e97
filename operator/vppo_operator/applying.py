"""What was decided on, done: attempts started, asked to stop and ended, jobs let go."""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from vppo_core.archive.records import JobRecord
from vppo_core.kube.api import KubeObject
from vppo_core.kube.errors import BadObjectError, KubeForbiddenError, KubeNotFoundError
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
from vppo_core.lifecycle.deadlines import running_seconds
from vppo_core.lifecycle.doing import job_of_attempt
from vppo_core.logs import note
from vppo_core.manifests.attempt import AttemptRequest
from vppo_core.runs.files import StopFile
from vppo_core.spec.platform import PlatformSpec
from vppo_core.spec.status import JobPhase
from vppo_operator.acting import Hands, NameHeldError, ca_text
from vppo_operator.archiver import Archiver, Entry
from vppo_operator.gone import Registrar
from vppo_operator.observing import Seen
from vppo_operator.parts import FINALIZER, Parts, deleted_at, meta
from vppo_operator.refusals import Refusals

_log = logging.getLogger(__name__)

SOON: Final = 5.0
GONE_SECONDS: Final = 10.0
"""After a RayJob was deleted: a watch that began anew meanwhile never tells that it is gone."""

RELEASE_LIMIT: Final = timedelta(minutes=10)
"""How long beyond the grace of its stop a deleted job waits for the archive: its namespace must be
able to go."""

_HOLDING: Final = frozenset(
    {JobPhase.STARTING, JobPhase.RUNNING, JobPhase.STOPPING, JobPhase.RETRYING}
)


class Applier:
    """Does what a plan says, in an order that may be cut short anywhere."""

    def __init__(
        self,
        hands: Hands,
        archiver: Archiver,
        registrar: Registrar,
        refusals: Refusals,
        platform: Callable[[], PlatformSpec],
    ) -> None:
        self._hands = hands
        self._archiver = archiver
        self._registrar = registrar
        self._refusals = refusals
        self._platform = platform

    def apply(
        self, document: KubeObject, seen: Seen, plan: Plan, action: Action, now: datetime
    ) -> tuple[KubeObject, float | None]:
        """Do it; the job object afterwards, and seconds until the next look.

        Raises:
            KubeError, OSError: it was not done, or not to the end.
        """
        record = seen.record
        match action:
            case StartAttempt():
                return self._start(document, seen, plan, action, now)
            case RequestStop():
                wanted = StopFile(reason=action.reason, requested=now, deadline=action.deadline)
                parts = seen.children.get(action.index, Parts())
                self._hands.request_stop(record.uid, action.index, parts, wanted)
                return document, GONE_SECONDS
            case DeleteAttempt():
                self._hands.delete(seen.children.get(action.index, Parts()))
                return document, GONE_SECONDS
            case ArchiveJob():
                # The row was just written; the next look sees it, and lets the job go.
                return document, SOON if seen.observed.deletion_requested else None
            case ReleaseJob():
                return self._release(document, seen, plan, now)
            case ExpireJob():
                self._expire(document, record, now)
        return document, None

    def request(self, record: JobRecord, index: int) -> AttemptRequest:
        """What the renderer is asked for; the whole job, with all the time it has.

        Raises:
            OSError: the receiver's certificate cannot be read.
        """
        cluster = self._platform().cluster
        return AttemptRequest(
            job=record.job,
            uid=record.uid,
            index=index,
            platform=self._platform(),
            ca=ca_text(cluster.receiver.ca_file) if cluster else "",
        )

    def _start(
        self, document: KubeObject, seen: Seen, plan: Plan, action: StartAttempt, now: datetime
    ) -> tuple[KubeObject, float | None]:
        record = seen.record
        note(attempt=action.index)
        request = replace(
            self.request(record, action.index),
            job=job_of_attempt(record.job, action),
            active_seconds_left=_seconds_left(record, plan, now),
        )
        document = self._hands.hold(document)
        try:
            self._hands.start(request)
        except (BadObjectError, KubeForbiddenError, KubeNotFoundError) as error:
            _log.warning("job %s: attempt %d is refused: %s", record.uid, action.index, error)
            self._refusals.note(record.uid, error, now)
            return document, 0.0
        except NameHeldError as error:
            _log.info("job %s: %s", record.uid, error)
            return document, SOON
        self._refusals.clear(record.uid)
        return document, None

    def _release(
        self, document: KubeObject, seen: Seen, plan: Plan, now: datetime
    ) -> tuple[KubeObject, float | None]:
        """Let a deleted job go once its end is written, or the archive was away for too long."""
        record, asked = seen.record, seen.observed.deletion_requested
        grace = timedelta(seconds=record.spec.scheduling.stop_grace_seconds)
        is_late = asked is not None and now >= asked + grace + RELEASE_LIMIT
        if seen.is_held and not is_late:
            return document, None
        if not (is_late or self._archiver.is_final(record.uid)):
            return document, SOON
        document = self._hands.release(document)
        self._archiver.write(
            Entry(
                record=record,
                status=plan.status,
                attempts=plan.attempts,
                now=now,
                is_released=True,
            )
        )
        return document, None

    def _expire(self, document: KubeObject, record: JobRecord, now: datetime) -> None:
        if not self._archiver.is_final(record.uid) or deleted_at(document) is not None:
            return
        self._archiver.write(Entry(record=record, status=record.status, now=now, is_expired=True))
        self._registrar.remove_files(record.uid)
        self._hands.delete_job(document)

    def pass_on_priority(self, seen: Seen, live: frozenset[int]) -> None:
        """Tell Kueue of a changed priority."""
        cluster = self._platform().cluster
        if cluster is not None and cluster.kueue and live:
            self._hands.prioritise(seen.children[max(live)], seen.record.spec.priority)

    def let_rest(self, document: KubeObject, seen: Seen, plan: Plan) -> KubeObject:
        """Take our finalizer away from a job that rests; a final one is written down first."""
        if FINALIZER not in (meta(document).get("finalizers") or ()):
            return document
        is_open = any(one.ended is None for one in plan.attempts)
        if seen.is_held or is_open or plan.status.phase in _HOLDING:
            return document
        if plan.status.phase.is_final:
            if seen.observed.deletion_requested is not None:
                return document  # `ReleaseJob` does that
            if not self._archiver.is_final(seen.record.uid):
                return document
        return self._hands.release(document)


def _seconds_left(record: JobRecord, plan: Plan, now: datetime) -> float | None:
    limit = record.spec.active_deadline_seconds
    return None if limit is None else max(0.0, limit - running_seconds(plan.attempts, now))
