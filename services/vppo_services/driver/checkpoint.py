"""What a restart needs: weights, optimizer, data cursor, carried groups; saved without a pause.

The metrics of all steps lie beside it: a run folder may die with its machine, and nobody wants a
curve with a hole in it.

All random numbers of a run are pure functions of its seed and of counters (prompt, visit, sample),
so the counters are the state of every generator, masks included.
"""

import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import ray

from vppo_core.batch.axes import nbytes
from vppo_core.batch.codec import from_bytes, to_bytes
from vppo_core.batch.prompts import PromptBatch
from vppo_core.batch.scores import DependencyBatch, RewardBatch
from vppo_core.batch.trajectories import TrajectoryBatch
from vppo_core.errors import CheckpointError
from vppo_services.driver.feed import PromptFeed
from vppo_services.driver.fleet import Fleet
from vppo_services.driver.groups import Group, GroupArrays
from vppo_services.driver.saved import SavedCheckpoint
from vppo_services.driver.store import COMPLETE, CheckpointStore
from vppo_services.observability.record import history, restore_history
from vppo_services.transport.refs import put

_log = logging.getLogger(__name__)

HISTORY = "metrics.jsonl.gz"
_KINDS = {
    "prompts": PromptBatch,
    "trajectories": TrajectoryBatch,
    "rewards": RewardBatch,
    "scores": DependencyBatch,
}


@dataclass(frozen=True, slots=True)
class RunState:
    """What the driver itself has to remember between two steps."""

    step: int
    evaluations: list[dict[str, float]]
    stage_seconds: dict[str, float]
    seconds: float


class Checkpoints:
    """Starts a save at a step boundary, completes it at a later one, restores the newest."""

    def __init__(
        self,
        store: CheckpointStore,
        fleet: Fleet,
        feed: PromptFeed,
        *,
        metrics_file: Path,
        job_json: str,
        attempt: int,
        on_complete: Callable[[SavedCheckpoint], None],
    ) -> None:
        """Save and restore `fleet` and `feed`.

        Args:
            metrics_file: the run's `metrics.jsonl`.
            job_json: the job object, which is stored beside each checkpoint.
            attempt: number of the attempt that saves.
            on_complete: called with each checkpoint once it counts.
        """
        self._store = store
        self._fleet = fleet
        self._feed = feed
        self._metrics_file = metrics_file
        self._job_json = job_json
        self._attempt = attempt
        self._on_complete = on_complete
        self.started: int | None = None
        """Step whose save was begun last, or that was restored."""
        self._writing: int | None = None
        self._metrics: Mapping[str, float] = {}
        self._started = 0.0
        self.last_step: int | None = None
        self.last_seconds = 0.0
        self.last_time: float | None = None
        """When the newest complete checkpoint was complete, since the epoch."""
        self.failures = 0

    def start(
        self, state: RunState, carried: list[Group], metrics: Mapping[str, float] | None = None
    ) -> None:
        """Begin to save `state.step`; the learner's part is written in the background.

        Args:
            metrics: numbers that are told with the checkpoint; read once it is complete.
        """
        self.settle(wait=True)
        step = self.started = state.step
        self._metrics = metrics or {}
        self._started = time.perf_counter()
        try:
            self._store.prepare(step)
            self._write_driver(state, carried)
        except OSError as error:
            self._failed(step, error)
            return
        self._fleet.on_learners("start_save", f"{self._store.uri(step)}/learner", step=step)
        self._writing = step

    def settle(self, *, wait: bool) -> None:
        """Complete the save that is on its way, if it is done; with `wait`, when it is done."""
        step = self._writing
        if step is None:
            return
        if not wait and not all(self._fleet.on_learners("is_saved", step=step)):
            return
        self._writing = None
        try:
            self._fleet.on_learners("finish_save", step=step)
            self._store.write(step, HISTORY, history(self._metrics_file, last_step=step))
            saved = SavedCheckpoint(
                step=step,
                uri=self._store.uri(step),
                attempt=self._attempt,
                created=datetime.now(UTC).isoformat(),
                size_bytes=self._store.size_bytes(step),
                metrics=dict(self._metrics),
            )
            self._store.complete(step, saved.as_json())
        except (CheckpointError, OSError) as error:
            self._failed(step, error)
            return
        self.last_step = step
        self.last_time = saved.created_seconds
        self.last_seconds = time.perf_counter() - self._started
        self._on_complete(saved)

    def restore(self) -> tuple[RunState, list[Group]] | None:
        """Load the newest complete checkpoint into the fleet and the feed, or say there is none."""
        steps = self._store.steps()
        if not steps:
            return None
        step = steps[-1]
        saved = json.loads(self._store.read(step, "driver.json"))
        self._fleet.on_learners("restore", f"{self._store.uri(step)}/learner", step=step)
        self._feed.restore(saved["feed"])
        self._restore_history(step)
        self.last_step = self.started = step
        newest = self.newest()
        self.last_time = None if newest is None else newest.created_seconds
        carried = [self._read_group(step, index) for index in range(saved["carried"])]
        return RunState(**saved["run"]), carried

    def newest(self) -> SavedCheckpoint | None:
        """What is known of the newest complete checkpoint."""
        step = self.last_step
        if step is None:
            return None
        data = self._store.read(step, COMPLETE)
        return SavedCheckpoint.from_json(data, step=step, uri=self._store.uri(step))

    def uri(self) -> str:
        """Address of the newest complete checkpoint; empty when there is none."""
        return "" if self.last_step is None else self._store.uri(self.last_step)

    def _write_driver(self, state: RunState, carried: list[Group]) -> None:
        step = state.step
        for index, group in enumerate(carried):
            arrays = group.fetch()
            for name in _KINDS:
                data = to_bytes(getattr(arrays, name))
                self._store.write(step, _file(index, name), data)
        saved: dict[str, Any] = {
            "run": {name: getattr(state, name) for name in RunState.__dataclass_fields__},
            "feed": self._feed.state(),
            "carried": len(carried),
        }
        self._store.write(step, "driver.json", json.dumps(saved, indent=1).encode())
        self._store.write(step, "job.json", self._job_json.encode())

    def _restore_history(self, step: int) -> None:
        try:
            added = restore_history(self._metrics_file, self._store.read(step, HISTORY))
        except FileNotFoundError:
            return  # a checkpoint of an earlier version
        except OSError as error:
            _log.warning("the metrics beside checkpoint %d were not read: %s", step, error)
            return
        if added:
            _log.info("metrics of %d steps were taken from the checkpoint of step %d", added, step)

    def _read_group(self, step: int, index: int) -> Group:
        read: dict[str, Any] = {
            name: from_bytes(kind, self._store.read(step, _file(index, name)))
            for name, kind in _KINDS.items()
        }
        arrays = GroupArrays(**read)
        return Group(
            put(
                arrays.prompts,
                rows=len(arrays.prompts),
                num_bytes=nbytes(arrays.prompts),
                policy_version=0,
            ),
            put(
                arrays.trajectories,
                rows=len(arrays.trajectories),
                num_bytes=nbytes(arrays.trajectories),
                policy_version=arrays.trajectories.policy_version,
            ),
            arrays.rewards,
            ray.put(arrays.scores),
            int(arrays.trajectories.response_mask.sum()),
        )

    def _failed(self, step: int, error: Exception) -> None:
        self.failures += 1
        _log.error(
            "checkpoint of step %d was not written (%s); training goes on, the last good one is %s",
            step,
            error,
            "none" if self.last_step is None else f"step {self.last_step}",
        )
        try:
            self._store.discard(step)
        except OSError as second:
            _log.warning("what was written of step %d could not be removed: %s", step, second)


def _file(index: int, name: str) -> str:
    return f"carried-{index:05d}-{name}.npz"
