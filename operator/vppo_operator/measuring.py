"""The series of jobs: what each look at a job tells them."""

from collections.abc import Sequence
from datetime import datetime

from prometheus_client import CollectorRegistry

from vppo_core.instruments import JobBoard, JobCounters
from vppo_core.instruments.living import open_attempts
from vppo_core.kube.api import KubeObject
from vppo_core.lifecycle.actions import JobEvent, Plan
from vppo_core.spec.platform import PlatformSpec
from vppo_core.spec.status import VPPOJobStatus
from vppo_operator.archiver import Archiver
from vppo_operator.job_object import status_of
from vppo_operator.observing import SILENT_RESTART, Seen
from vppo_operator.parts import meta, moment


class Measures:
    """Jobs as they were seen last, and what happened to them since this program leads."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        """Register them, by default in a registry of their own."""
        self.registry = registry or CollectorRegistry()
        self._counters = JobCounters(self.registry, holds_at_once=False)
        self.board = JobBoard(self.registry)

    def found_out(self, events: Sequence[JobEvent]) -> None:
        """What was noted as seen, and is told only once."""
        self._counters.count_restarts(sum(one.reason == SILENT_RESTART for one in events))

    def looked(
        self, seen: Seen, plan: Plan, status: VPPOJobStatus, platform: PlatformSpec, now: datetime
    ) -> None:
        """A look at a job changed this; its status is written."""
        record = seen.record
        self._counters.count(
            record.status, seen.history, plan.attempts, created=record.created, now=now
        )
        self.board.put(
            record.namespace,
            record.name,
            status,
            spec=record.spec,
            platform=platform,
            created=record.created,
            live_attempts=sum(state.is_live for state in seen.observed.attempts),
            now=now,
        )

    def unreadable(self, document: KubeObject, platform: PlatformSpec, now: datetime) -> None:
        """A job whose spec nobody here can read is a job all the same."""
        head, status = meta(document), status_of(document)
        self.board.put(
            str(head["namespace"]),
            str(head["name"]),
            status,
            spec=None,
            platform=platform,
            created=moment(head.get("creationTimestamp")) or now,
            live_attempts=open_attempts(status),
            now=now,
        )

    def scraped(self, archiver: Archiver, platform: PlatformSpec, now: datetime) -> None:
        """What is asked only when somebody scrapes."""
        self.board.offer(platform)
        since = archiver.waiting_since
        lag = (now - since).total_seconds() if since is not None else 0.0
        self._counters.set_archive(behind=archiver.behind, lag_seconds=lag)
