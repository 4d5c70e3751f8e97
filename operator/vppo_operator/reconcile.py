"""One job, once: observe -> decide -> write status -> archive -> act.

What is decided is written before anything is done, and what is done can be done again: a program
that is killed between any two lines here goes on from there when it is started again.
"""

import socket
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final

from vppo_core.archive.database import Database
from vppo_core.archive.records import JobRecord
from vppo_core.errors import InvalidSpecError
from vppo_core.kube.api import KubeApi, KubeObject
from vppo_core.kube.errors import KubeConflictError, KubeNotFoundError
from vppo_core.kube.kinds import RAY_JOBS, VPPO_JOBS
from vppo_core.lifecycle.actions import JobEvent, Plan
from vppo_core.lifecycle.decide import decide
from vppo_core.lifecycle.doing import usage_rows
from vppo_core.lifecycle.names import MAX_INDEX, MAX_NAME, attempt_name
from vppo_core.spec.platform import PlatformSpec
from vppo_core.spec.status import ConditionType, JobPhase, VPPOJobStatus
from vppo_operator.acting import Hands
from vppo_operator.applying import Applier
from vppo_operator.archiver import Archiver, Entry
from vppo_operator.attempt_files import Mirror
from vppo_operator.events import EventWriter
from vppo_operator.gone import Registrar
from vppo_operator.job_object import merge_patch, record_of, status_document
from vppo_operator.measuring import Measures
from vppo_operator.observing import HistoryUnknownError, Observer, Seen
from vppo_operator.parts import meta
from vppo_operator.pending import Pending
from vppo_operator.seen_versions import SeenVersions
from vppo_operator.status_writing import is_news, refused, seconds_until_write, with_archive
from vppo_operator.tidying import tidy
from vppo_operator.unreadable import refuse

TRIES: Final = 3
ARCHIVE_AWAY: Final = 30.0


class Reconciler:
    """Brings one job at a time to where it should be. Threads may share it, not one job."""

    def __init__(
        self,
        api: KubeApi,
        *,
        db: Database | None,
        state: Path,
        platform: PlatformSpec,
        clock: Callable[[], datetime],
        measures: Measures | None = None,
    ) -> None:
        """Nothing is read or done yet.

        Args:
            db: the archive; None: there is none.
            state: folder of the mirrored run folders, `jobs/<uid>`.
            platform: with `cluster`; may be exchanged at any time.
            clock: the time, with its zone.
        """
        self.platform = platform
        self._api = api
        self._clock = clock
        self._mirror = Mirror(state / "jobs")
        self.seen = SeenVersions()
        """Versions of objects whose events need no look."""

        self.archiver = Archiver(db, clock)
        self.registrar = Registrar(db, self.archiver, self._mirror)
        self._observer = Observer(api, self._mirror, self.archiver)
        self._hands = Hands(api, self._mirror, self.seen)
        self._pending = Pending(self._mirror)
        self._applier = Applier(
            self._hands,
            self.archiver,
            self.registrar,
            self._observer.refusals,
            lambda: self.platform,
        )
        self._events = EventWriter(api, clock, instance=socket.gethostname())
        self._uids: dict[tuple[str, str], str] = {}
        self._unclosed: set[tuple[str, str]] = set()
        self._unsure: set[str] = set()
        """Jobs whose history may lack what was written into their status last."""

        self.live: dict[tuple[str, str], tuple[str, frozenset[int]]] = {}
        """Uid and live attempts of jobs, as they were seen last."""
        self.measures = measures or Measures()

    def reconcile(self, namespace: str, name: str) -> float | None:
        """Seconds until it wants to look at the job again; None means only on a change.

        Raises:
            KubeError, StoreUnavailableError, OSError, ValueError: not everything was done; the next
                look goes on.
        """
        for tries_left in reversed(range(TRIES)):
            try:
                return self._once(namespace, name)
            except KubeConflictError:
                if not tries_left:
                    raise
        return None

    def knows(self, namespace: str, name: str, uid: str, attempt: int) -> bool:
        """Whether this attempt is there.

        Raises:
            KubeError: it is not known.
        """
        seen_uid, live = self.live.get((namespace, name), ("", frozenset()))
        if seen_uid == uid and attempt in live:
            return True
        if not (0 < len(name) <= MAX_NAME and 0 < attempt <= MAX_INDEX):
            return False
        ray_job = self._api.get(RAY_JOBS, namespace, attempt_name(name, attempt))
        owners = meta(ray_job or {}).get("ownerReferences") or ()
        return any(one.get("uid") == uid for one in owners)

    def known_jobs(self) -> list[tuple[str, str]]:
        """Namespace and name of every job that was seen and not seen to be gone."""
        return list(self._uids)

    def _once(self, namespace: str, name: str) -> float | None:
        now = self._clock()
        document = self._api.get(VPPO_JOBS, namespace, name)
        uid = str(meta(document or {}).get("uid", ""))
        if document is None:
            return None if self._meet(namespace, name, uid, now) else ARCHIVE_AWAY
        self._meet(namespace, name, uid, now)
        try:
            record = record_of(document, now=now)
        except InvalidSpecError as error:
            self.measures.unreadable(document, self.platform, now)
            return refuse(self._api, self._hands, self._events, document, error, now=now)
        try:
            seen = self._observer.see(
                document,
                record,
                self.platform,
                rehearse=lambda index: self._hands.rehearse(self._applier.request(record, index)),
                now=now,
            )
        except HistoryUnknownError:
            return self._wait_for_archive(document, record, now)
        return self._carry_out(document, seen, decide(seen.observed), now)

    def _meet(self, namespace: str, name: str, uid: str, now: datetime) -> bool:
        """Another job has the name, or none; False while the books of the earlier one are open."""
        key = (namespace, name)
        known = self._uids.get(key, "")
        if known == uid != "" and key not in self._unclosed:
            return True
        if known and known != uid:
            self._forget(key, known)
        if uid and known != uid:
            self._uids[key] = uid
            self._unsure.add(uid)
        is_closed = self.registrar.close_named(namespace, name, now, but=uid)
        (self._unclosed.discard if is_closed else self._unclosed.add)(key)
        return is_closed

    def _forget(self, key: tuple[str, str], uid: str) -> None:
        del self._uids[key]
        self._observer.forget(uid)
        self._unsure.discard(uid)
        self.archiver.forget(uid)
        self.live.pop(key, None)
        self.measures.board.drop(*key)
        if not self.archiver.exists:
            self.registrar.remove_files(uid)

    def _carry_out(
        self, document: KubeObject, seen: Seen, plan: Plan, now: datetime
    ) -> float | None:
        record, key = seen.record, (seen.record.namespace, seen.record.name)
        live = frozenset(s.record.index for s in seen.observed.attempts if s.is_live)
        self.live[key] = (record.uid, live)
        self.measures.found_out(seen.events)
        status, events = self._told(seen, plan, now)
        left = self._left(record)
        wait = seconds_until_write(record.status, status)
        written = status if not wait else record.status
        if events and self.archiver.exists:
            self._pending.note(record.uid, written, events)
        if wait == 0.0:
            document = self._write_status(document, status)
        self.measures.looked(seen, plan, status, self.platform, now)
        recorded = {one.index: one for one in seen.history}
        changed = [one for one in plan.attempts if recorded.get(one.index) != one]
        closed = frozenset(one.index for one in changed if one.ended is not None)
        entry = Entry(
            record=record,
            status=written,
            attempts=plan.attempts,
            events=(*left, *events),
            usage=usage_rows(plan, changed, now),
            checkpoints=seen.checkpoints,
            now=now,
        )
        is_archived = self._archive(entry)
        self._unsure.discard(record.uid)  # what is not written is in the backlog now
        if is_archived and entry.events:
            self._pending.clear(record.uid)
        self._events.write(document, events)
        tidied = tidy(
            self._hands,
            record,
            {one.index: one for one in plan.attempts},
            seen.children,
            closed=closed,
            now=now,
        )
        if tidied.events:
            self._events.write(document, tidied.events)
            self._archive(replace(entry, events=tidied.events))
        delays = [plan.requeue_after_seconds, wait or None]
        delays += [(moment - now).total_seconds() for moment in tidied.look_again]
        delays.append(self._observer.refusals.seconds_left(seen.observed, now))
        if not is_archived:
            delays.append(ARCHIVE_AWAY)
        for action in plan.actions:
            document, delay = self._applier.apply(document, seen, plan, action, now)
            delays.append(delay)
        self._applier.pass_on_priority(seen, live)
        document = self._applier.let_rest(document, seen, plan)
        for one in (document, *seen.objects):
            self.seen.note(one)
        known_delays = [delay for delay in delays if delay is not None]
        return max(0.0, min(known_delays)) if known_delays else None

    def _left(self, record: JobRecord) -> tuple[JobEvent, ...]:
        """Events that a program before this one was killed over."""
        if record.uid not in self._unsure or not self.archiver.exists:
            return ()
        return self._pending.left(record.uid, record.status, self.archiver.status_of)

    def _told(
        self, seen: Seen, plan: Plan, now: datetime
    ) -> tuple[VPPOJobStatus, tuple[JobEvent, ...]]:
        """What the status and the history say, with what only a cluster knows."""
        before, status = seen.record.status, plan.status
        events = (*seen.events, *plan.events)
        if self.archiver.exists:
            trouble = self.archiver.trouble
            status = with_archive(status, before=before, trouble=trouble, now=now)
        if seen.refusal is not None:
            status = refused(status, seen.refusal, before=before, now=now)
            events = tuple(one for one in events if one.reason != JobPhase.QUEUED.value)
            if is_news(before, status, ConditionType.ACCEPTED):
                refusal = seen.refusal
                told = JobEvent(
                    kind="Warning", reason=refusal.reason, message=refusal.sentence[:1024]
                )
                events = (*events, told)
        return status, events

    def _write_status(self, document: KubeObject, status: VPPOJobStatus) -> KubeObject:
        head = meta(document)
        change = merge_patch(document.get("status") or {}, status_document(status))
        if not change:
            return document
        body = {"metadata": {"resourceVersion": head["resourceVersion"]}, "status": change}
        try:
            written = self._api.patch(
                VPPO_JOBS, head["namespace"], head["name"], body, subresource="status"
            )
        except KubeNotFoundError:
            raise KubeConflictError("the job went while it was looked at") from None
        self.seen.note(written)
        return written

    def _archive(self, entry: Entry) -> bool:
        if not entry.events and self.archiver.has(entry):
            return True
        return self.archiver.write(entry)

    def _wait_for_archive(self, document: KubeObject, record: JobRecord, now: datetime) -> float:
        """Nothing is decided while earlier attempts are unknown; the status says so."""
        trouble = (
            "The archive cannot be reached, and the status has only the last attempts of the job; "
            "nothing is done until it answers."
        )
        status = with_archive(record.status, before=record.status, trouble=trouble, now=now)
        if status != record.status:
            self._write_status(document, status)
        return ARCHIVE_AWAY
