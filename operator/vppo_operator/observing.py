"""A job object and everything about it -> what `decide` looks at."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from vppo_core.archive.records import CheckpointRecord, JobRecord
from vppo_core.errors import InvalidSpecError
from vppo_core.kube.api import KubeApi, KubeObject
from vppo_core.lifecycle.actions import JobEvent
from vppo_core.lifecycle.observed import Observed
from vppo_core.lifecycle.phases import condition
from vppo_core.logs import note
from vppo_core.manifests.check import check_cluster_job
from vppo_core.runs.files import checkpoint_lines
from vppo_core.runs.observe import JobFacts, observed
from vppo_core.spec.origin import request_of
from vppo_core.spec.platform import PlatformSpec
from vppo_core.spec.scheduling import DesiredState
from vppo_core.spec.status import AttemptStatus, ConditionStatus, ConditionType
from vppo_operator.archiver import Archiver
from vppo_operator.attempt_files import Mirror
from vppo_operator.attempt_state import attempt_view, is_live, verdict_of
from vppo_operator.facts import ClusterReader
from vppo_operator.history import has_gap, merged_history, unknown_attempts
from vppo_operator.job_object import why_refused
from vppo_operator.parts import Parts, meta, moment, status
from vppo_operator.pod_troubles import Trouble
from vppo_operator.queue_state import queue_state
from vppo_operator.refusals import Refusals

HISTORY_UNKNOWN: Final = "HistoryUnknown"
SILENT_RESTART: Final = "SilentRestart"
"""Reason of the event that a driver began again inside its attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A job at one moment."""

    record: JobRecord
    observed: Observed
    children: Mapping[int, Parts]
    history: tuple[AttemptStatus, ...]
    """Attempts as they were recorded before."""

    checkpoints: tuple[CheckpointRecord, ...]
    refusal: Trouble | None
    """Why the job is not accepted; None for one that is, or was."""

    events: tuple[JobEvent, ...]
    """What was found out on the way."""

    @property
    def objects(self) -> list[KubeObject]:
        """What was read of it, besides the job itself and pods."""
        found = [(one.ray_job, one.workload, *one.ray_clusters) for one in self.children.values()]
        return [thing for some in found for thing in some if thing is not None]

    @property
    def is_held(self) -> bool:
        """Whether anything of the job lives, or is about to go."""
        is_there = any(parts.ray_job or parts.ray_clusters for parts in self.children.values())
        return is_there or any(state.is_live for state in self.observed.attempts)


class HistoryUnknownError(Exception):
    """The archive is away and the status does not have all attempts: nothing may be decided."""


class Observer:
    """Observes one job at a time."""

    def __init__(self, api: KubeApi, mirror: Mirror, archiver: Archiver) -> None:
        self._mirror = mirror
        self._archiver = archiver
        self._reader = ClusterReader(api, mirror)
        self._checkpoints: dict[str, tuple[tuple[int, float], tuple[CheckpointRecord, ...]]] = {}
        self.refusals = Refusals(self._reader)

    def see(
        self,
        document: KubeObject,
        record: JobRecord,
        platform: PlatformSpec,
        *,
        rehearse: Callable[[int], None],
        now: datetime,
    ) -> Seen:
        """The job and all that belongs to it.

        Args:
            rehearse: tries to make this attempt, without making it.

        Raises:
            HistoryUnknownError, KubeError, OSError: nothing may be decided.
        """
        note(request=request_of(record.annotations) or None)
        history = self._history(record)
        cluster = platform.cluster
        last = history[-1].index if history else 0
        note(attempt=last or None)
        wanted = [one.index for one in history if one.ended is None or one.index == last]
        children = self._reader.children(
            document, wanted, uses_kueue=cluster is not None and cluster.kueue
        ).parts
        children = {
            index: self._noted(record.uid, parts, index) for index, parts in children.items()
        }
        known = unknown_attempts(history, {i: _found(i, p, now) for i, p in children.items() if i})
        waited_for = _waited_for(record)
        views = {
            index: attempt_view(parts, now=now, waited_for=waited_for)
            for index, parts in children.items()
        }
        checkpoints = self._known_checkpoints(record)
        facts = JobFacts(
            record=record,
            attempts=tuple((one, views.get(one.index)) for one in known),
            checkpoints=checkpoints,
        )
        live = next((children[i] for i in sorted(views, reverse=True) if views[i].is_live), None)
        refused = _refused(record, platform)
        trouble = self._trouble(record, live, known, refused, rehearse=rehearse, now=now)
        queue = queue_state(record.spec, platform, live=live, trouble=trouble)
        is_archived = record.phase.is_final and self._archiver.is_final(record.uid)
        is_new = record.status.attempt == 0 and live is None
        return Seen(
            record=record,
            observed=replace(observed(facts, queue, now=now), is_archived=is_archived),
            children=children,
            history=history,
            checkpoints=checkpoints,
            refusal=trouble if is_new and refused is not None else None,
            events=tuple(self._restarts(record.uid, children, now)),
        )

    def forget(self, uid: str) -> None:
        """The job is gone."""
        self._checkpoints.pop(uid, None)
        self.refusals.clear(uid)

    def _history(self, record: JobRecord) -> tuple[AttemptStatus, ...]:
        known = merged_history(record.status, ())
        if not has_gap(record.status, known):
            return known
        archived = self._archiver.attempts_of(record.uid)
        if archived is None:
            raise HistoryUnknownError
        return merged_history(record.status, archived)

    def _noted(self, uid: str, parts: Parts, index: int) -> Parts:
        """Note what may not be seen any more at the next look."""
        if parts.ray_job is not None:
            self._mirror.note_launch(uid, index)
        verdict = verdict_of(parts)
        if verdict is not None and verdict != parts.evidence:
            started = str(status(parts.ray_job).get("startTime") or "")
            self._mirror.note_evidence(uid, index, verdict, started=started)
        return parts

    def _known_checkpoints(self, record: JobRecord) -> tuple[CheckpointRecord, ...]:
        """Those of the mirror; where it was lost, the one in the status."""
        path = self._mirror.folder(record.uid).checkpoint_lines
        try:
            facts = path.stat()
        except OSError:
            return _of_status(record)
        key = (facts.st_size, facts.st_mtime)
        known = self._checkpoints.get(record.uid)
        if known is None or known[0] != key:
            lines = checkpoint_lines(path)
            known = (key, tuple(lines[step].as_record() for step in sorted(lines)))
            self._checkpoints[record.uid] = known
        return known[1] or _of_status(record)

    def _trouble(
        self,
        record: JobRecord,
        live: Parts | None,
        known: tuple[AttemptStatus, ...],
        refused: Trouble | None,
        *,
        rehearse: Callable[[int], None],
        now: datetime,
    ) -> Trouble | None:
        """What keeps a next attempt from being made; nothing where none is wanted."""
        uid = record.uid
        is_wanted = record.spec.desired_state is DesiredState.RUNNING
        if live is not None or not is_wanted or record.phase.is_final or record.deletion_requested:
            self.refusals.clear(uid)
            return None
        if refused is not None:
            return refused
        index = known[-1].index if known and known[-1].ended is None else len(known) + 1
        return self.refusals.kuberay(record.namespace, now) or self.refusals.trouble(
            uid, lambda: rehearse(index), now
        )

    def _restarts(self, uid: str, children: Mapping[int, Parts], now: datetime) -> list[JobEvent]:
        events = []
        for index, parts in children.items():
            progress = parts.files.progress
            if progress is None or not progress.incarnation or not is_live(parts, now=now):
                continue
            if self._mirror.new_incarnation(uid, index, progress.incarnation):
                text = (
                    f"Ray started the driver of attempt {index} again; it goes on from step "
                    f"{progress.first_step or 0}, what was done after its checkpoint is lost."
                )
                events.append(JobEvent(kind="Warning", reason=SILENT_RESTART, message=text))
        return events


def _refused(record: JobRecord, platform: PlatformSpec) -> Trouble | None:
    try:
        check_cluster_job(record.job, platform)
    except InvalidSpecError as error:
        return Trouble(why_refused(error), "; also: ".join(str(error).split("\n")))
    return None


def _of_status(record: JobRecord) -> tuple[CheckpointRecord, ...]:
    known = record.status.checkpoint
    if known is None:
        return ()
    one = CheckpointRecord(
        step=known.step,
        uri=known.uri,
        attempt=record.status.attempt,
        size_bytes=0,
        created=known.created,
        metrics={},
    )
    return (one,)


def _waited_for(record: JobRecord) -> str:
    queued = condition(record.status, ConditionType.QUEUED)
    is_true = queued is not None and queued.status is ConditionStatus.TRUE
    return queued.message if queued and is_true else ""


def _found(index: int, parts: Parts, now: datetime) -> AttemptStatus:
    """An attempt that nobody wrote down: its RayJob tells when it was made."""
    made = moment(meta(parts.ray_job or {}).get("creationTimestamp"))
    return AttemptStatus(index=index, created=made or now)
