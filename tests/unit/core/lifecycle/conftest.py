"""Builders for what `decide` looks at: times are seconds since noon."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

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
from vppo_core.lifecycle.observed import AttemptState, Observed, QueueState
from vppo_core.spec.job import VPPOJobSpec
from vppo_core.spec.scheduling import DesiredState
from vppo_core.spec.status import (
    AttemptStatus,
    CheckpointStatus,
    FailureClass,
    Outcome,
    Progress,
    QueueStatus,
    VPPOJobStatus,
)

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
WAITS = QueueState(
    is_admitted=False,
    status=QueueStatus(name="default", pool="local", position=2, reason="WaitingForQuota"),
    needs="the pool 'local'",
    blockers=("a-7f3k2",),
)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


class Builder:
    """Makes facts; what is not said is ordinary."""

    waits = WAITS

    def at(self, seconds: float) -> datetime:
        return at(seconds)

    def spec(self, **fields: Any) -> VPPOJobSpec:
        smallest = {"model": {"source": "m"}, "data": {"source": "d"}}
        return VPPOJobSpec.model_validate({**smallest, **fields})

    def live(self, index: int = 1, *, stop: tuple[float, str] | None = None, **record: Any) -> Any:
        """An attempt that runs; `stop` is when and why it was asked to stop."""
        return AttemptState(
            record=AttemptStatus(**{"index": index, "created": at(0), **record}),
            is_launched=True,
            is_live=True,
            stop_requested=at(stop[0]) if stop else None,
            stop_reason=stop[1] if stop else "",
        )

    def gone(
        self,
        index: int = 1,
        outcome: Outcome | None = None,
        failure: FailureClass | None = None,
        *,
        stop: tuple[float, str] | None = None,
        **record: Any,
    ) -> AttemptState:
        """An attempt that was launched and of which nothing is left."""
        facts = {"index": index, "created": at(0), "outcome": outcome, "failure_class": failure}
        return AttemptState(
            record=AttemptStatus.model_validate({**facts, **record}),
            is_launched=True,
            is_live=False,
            stop_requested=at(stop[0]) if stop else None,
            stop_reason=stop[1] if stop else "",
        )

    def unlaunched(self, index: int = 1) -> AttemptState:
        """An attempt that was recorded, but not started before a crash."""
        record = AttemptStatus(index=index, created=at(0))
        return AttemptState(record=record, is_launched=False, is_live=False)

    def progress(self, step: int, *, at_second: float = 100, **fields: Any) -> Progress:
        facts = {"step": step, "total_steps": 200, "stage": "sample", "updated": at(at_second)}
        return Progress.model_validate({**facts, **fields})

    def checkpoint(self, step: int, *, at_second: float = 90) -> CheckpointStatus:
        return CheckpointStatus(step=step, uri=f"/c/{step}", created=at(at_second))

    def observed(self, *attempts: AttemptState, now: float = 100, **facts: Any) -> Observed:
        """What is known at a second; `spec` may be given as a dict of fields."""
        spec = facts.pop("spec", {})
        known: dict[str, Any] = {
            "uid": "u-1",
            "name": "a",
            "generation": 1,
            "created": at(0),
            "is_archived": True,
        }
        return Observed(
            **{**known, **facts},
            spec=spec if isinstance(spec, VPPOJobSpec) else self.spec(**spec),
            attempts=attempts,
            now=at(now),
        )

    def after(self, *attempts: AttemptState, now: float = 10, **facts: Any) -> Any:
        """The status after a pass over these facts, as the next pass finds it."""
        return decide(self.observed(*attempts, now=now, **facts)).status


@dataclass
class FakeProcess:
    """A driver: how far it is, what it left behind."""

    first: int
    step: int
    saved: int
    is_live: bool = True
    outcome: Outcome | None = None
    failure: FailureClass | None = None
    ended: datetime | None = None
    said: datetime | None = None


class FakeWorld:
    """An archive and a launcher in memory; checks each plan against what was recorded before."""

    def __init__(self, spec: VPPOJobSpec) -> None:
        self.spec = spec
        self.now = NOON
        self.generation = 1
        self.deletion_requested: datetime | None = None
        self.status = VPPOJobStatus()
        self.records: dict[int, AttemptStatus] = {}
        self.processes: dict[int, FakeProcess] = {}
        self.stops: dict[int, tuple[datetime, str]] = {}
        self.checkpoint: CheckpointStatus | None = None
        self.is_admitted = True
        self.is_archived = self.is_released = self.was_blind = False

    def patch(self, **fields: Any) -> None:
        if self.spec.desired_state is not DesiredState.CANCELLED:
            self.spec = self.spec.model_copy(update=fields)
            self.generation += 1

    def delete(self) -> None:
        self.deletion_requested = self.deletion_requested or self.now

    def tick(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def living(self) -> list[int]:
        return [index for index, one in self.processes.items() if one.is_live]

    def work(self, steps: int, *, saves: bool) -> None:
        index = self.living()[-1]
        process = self.processes[index]
        process.step += steps
        process.said = self.now
        if saves:
            process.saved = process.step
            self.checkpoint = CheckpointStatus(step=process.step, uri="/c", created=self.now)

    def obey(self) -> None:
        self.work(1, saves=True)
        self.end(Outcome.STOPPED)

    def end(self, outcome: Outcome | None, failure: FailureClass | None = None) -> None:
        process = self.processes[self.living()[-1]]
        process.is_live, process.ended = False, self.now
        process.outcome, process.failure = outcome, failure

    def run_pass(self, done: int = 99, *, is_blind: bool = False) -> Plan | None:
        """A pass; killed before its record with `done` below 0, or after that many actions."""
        if self.is_released:
            return None
        self.was_blind = self.was_blind or is_blind
        plan = decide(self._observed(is_blind=is_blind))
        self._check(plan)
        if done >= 0:
            self.status = VPPOJobStatus.model_validate_json(plan.status.model_dump_json())
            self.records = {one.index: one for one in plan.attempts}
        for action in plan.actions[: max(done, 0)]:
            self._do(action)
        return plan

    def _observed(self, *, is_blind: bool) -> Observed:
        last = self.processes.get(max(self.records, default=0))
        said = None
        if last is not None:
            said = Progress(step=last.step, total_steps=99, stage="x", updated=last.said)
        return Observed(
            uid="u-1",
            name="a",
            spec=self.spec,
            generation=self.generation,
            created=NOON,
            deletion_requested=self.deletion_requested,
            is_archived=self.is_archived,
            attempts=tuple(self._state(index, is_blind) for index in sorted(self.records)),
            queue=QueueState(is_admitted=self.is_admitted),
            progress=said,
            checkpoint=self.checkpoint,
            status=self.status,
            now=self.now,
        )

    def _state(self, index: int, is_blind: bool) -> AttemptState:
        record, process = self.records[index], self.processes.get(index)
        stop = self.stops.get(index)
        if process and process.ended and not record.ended:
            facts = {
                "outcome": process.outcome,
                "failure_class": process.failure,
                "last_step": process.step,
                "checkpoint_step": process.saved,
                "ended": process.ended,
            }
            record = record.model_copy(update=facts)
        return AttemptState(
            record=record,
            is_launched=process is not None,
            is_live=process is not None and process.is_live and not is_blind,
            stop_requested=stop[0] if stop else None,
            stop_reason=stop[1] if stop else "",
        )

    def _do(self, action: Action) -> None:
        match action:
            case StartAttempt(index=index):
                if self.living() and index not in self.processes:
                    assert self.was_blind, "an attempt was started beside a live one"
                    return  # the lock of the live one refuses it
                step = self.checkpoint.step if self.checkpoint and action.resume else 0
                self.processes.setdefault(index, FakeProcess(step, step, step))
            case RequestStop(index=index, reason=reason):
                self.stops.setdefault(index, (self.now, reason))
            case DeleteAttempt(index=index):
                process = self.processes[index]
                if process.is_live:
                    process.is_live, process.ended = False, self.now
            case ArchiveJob():
                self.is_archived = True
            case ReleaseJob() | ExpireJob():
                assert self.is_archived
                self.is_released = True

    def _check(self, plan: Plan) -> None:
        if self.status.phase.is_final:
            assert plan.status.phase is self.status.phase
            assert plan.status.conditions == self.status.conditions
        before, after = self.status.usage, plan.status.usage
        assert after.gpu_seconds_allocated >= before.gpu_seconds_allocated
        assert after.gpu_seconds_productive >= before.gpu_seconds_productive
        assert after.gpu_seconds_lost >= before.gpu_seconds_lost
        spent = after.gpu_seconds_productive + after.gpu_seconds_lost
        assert spent <= after.gpu_seconds_allocated + 1e-6
        assert plan.requeue_after_seconds is None or plan.requeue_after_seconds > 0
        assert all(event.message.endswith((".", "!", "?")) for event in plan.events)
        attempts = {one.index: one for one in plan.attempts}
        for index, record in self.records.items():
            _check_nothing_is_lost(record, attempts[index])


def _check_nothing_is_lost(before: AttemptStatus, after: AttemptStatus) -> None:
    if before.ended is not None:
        assert after == before
    for name in ("created", "started", "outcome", "failure_class", "exit_code"):
        known = getattr(before, name)
        assert known is None or getattr(after, name) == known
    assert after.last_step >= before.last_step
    assert after.checkpoint_step >= before.checkpoint_step
    assert after.gpus >= before.gpus


@pytest.fixture(scope="session")
def world_of(make: Builder) -> Callable[[dict[str, Any]], FakeWorld]:
    return lambda fields: FakeWorld(make.spec(**fields))


@pytest.fixture(scope="session")
def make() -> Builder:
    return Builder()


@pytest.fixture(scope="session")
def reasons() -> Callable[[Any], list[str]]:
    return lambda plan: [event.reason for event in plan.events]
