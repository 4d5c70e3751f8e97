"""One attempt at a job: everything that the loop uses, opened in the order that fails earliest."""

import json
import logging
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from vppo_core.catalogue import labelled
from vppo_core.logs import retell
from vppo_core.spec.job import VPPOJobSpec
from vppo_services.driver.assemble import Assembled
from vppo_services.driver.attempt import Attempt
from vppo_services.driver.checkpoint import Checkpoints, RunState
from vppo_services.driver.clock import StageClock
from vppo_services.driver.collect import Collector
from vppo_services.driver.drain import Drain
from vppo_services.driver.feed import PromptFeed
from vppo_services.driver.fleet import Fleet
from vppo_services.driver.groups import GroupArrays
from vppo_services.driver.metrics import distributions
from vppo_services.driver.progress import ProgressView
from vppo_services.driver.schedule import schedule_values
from vppo_services.driver.spotlight import Spotlight
from vppo_services.evaluation.runner import evaluate, evaluation_settings
from vppo_services.observability.charts import Histogram
from vppo_services.observability.logging import set_step
from vppo_services.observability.tracker import Tracker
from vppo_services.transport.busy import Span

_log = logging.getLogger(__name__)

_TOLD_WITH_CHECKPOINTS: Final = ("reward_mean", "accuracy_mean", "token_dependency_mean")


@dataclass(slots=True)
class Run:
    """The state of an attempt between two steps, and its tools."""

    job: VPPOJobSpec
    job_object: dict[str, Any]
    folder: Path
    fleet: Fleet
    feed: PromptFeed
    collector: Collector
    checkpoints: Checkpoints
    tracker: Tracker
    progress: ProgressView
    drain: Drain
    attempt: Attempt
    spotlight: Spotlight
    held_out: list[Any]
    clock: StageClock = field(default_factory=StageClock)
    step: int = 0
    evaluations: list[dict[str, float]] = field(default_factory=list)
    last: tuple[Sequence[GroupArrays], Sequence[Assembled]] | None = None
    histograms: list[Histogram] = field(default_factory=list)
    busy_seconds: dict[str, float] = field(default_factory=dict)
    _spotlights_lost: int = 0
    _told: dict[str, float] = field(default_factory=dict)
    _seen: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage and show it."""
        self.attempt.enters(name)
        with self.clock.stage(name), self.progress.stage(name):
            yield

    def restore(self) -> None:
        """Go on from the newest complete checkpoint, if there is one."""
        restored = self.checkpoints.restore()
        self.attempt.starts_from(
            0 if restored is None else restored[0].step, self.checkpoints.newest()
        )
        if restored is None:
            self.progress.say("no complete checkpoint in this run: starting from step 0")
            return
        state, self.collector.carried = restored
        self.step = state.step
        self.evaluations = list(state.evaluations)
        self.clock.resume(state.seconds, state.stage_seconds)
        self.progress.say(f"resumed from step {self.step}")

    def begin_step(self, step: int) -> None:
        """Start the step's clock and complete a checkpoint that was being written."""
        set_step(step)
        self.clock.begin_step()
        self.checkpoints.settle(wait=False)
        self.tracker.announce(self.standing())

    def finish_step(
        self,
        step: int,
        values: dict[str, float],
        arrays: Sequence[GroupArrays],
        batches: Sequence[Assembled],
    ) -> None:
        """Record the step, evaluate and save where that is due."""
        self.step = step
        self.last = (arrays, batches)
        self._told = {n: values[n] for n in _TOLD_WITH_CHECKPOINTS if math.isfinite(values[n])}
        if step in (1, self.job.learner.num_steps):
            self.histograms.append(_histogram(step, batches))
        if self._is_due(self.job.evaluation.every_steps):
            self.evaluate()
        if self._is_due(self.job.checkpoint.every_steps) or self._is_last():
            self.save()
        seconds = self.clock.step_seconds
        values |= self.standing() | {"policy_version": step, "step_seconds": seconds}
        values |= {labelled("stage_seconds", n): took for n, took in self.clock.step.items()}
        values |= self._schedule(seconds) | self._durability()
        self.tracker.log_step(step, values)
        for key, array in distributions(batches).items():
            self.tracker.observe(key, array)
        self.attempt.did_step(step, self.clock.step, seconds)
        self.progress.step_done(step, values, self.clock.step, seconds)
        if values["blindness"]:
            _log.warning(
                "mean token dependency is %.2e nats: the policy answers as if it saw no image; "
                "look at the prompts' images and at model.minPixels",
                values["token_dependency_mean"],
            )

    def standing(self) -> dict[str, float]:
        """What holds between two steps; a page that is read before the first one ends has it."""
        values = {
            "step": self.step,
            "total_steps": self.job.learner.num_steps,
            "attempt": self.attempt.number,
            "attempt_start_timestamp_seconds": self.attempt.started,
            "checkpoint_every_steps": self.job.checkpoint.every_steps,
            "checkpoint_step": self.checkpoints.last_step,
            "checkpoint_timestamp_seconds": self.checkpoints.last_time,
        }
        return {name: float(value) for name, value in values.items() if value is not None}

    def evaluate(self) -> None:
        """Ask the held-out questions, where there are any."""
        if not self.held_out or any(e["step"] == self.step for e in self.evaluations):
            return
        with self.stage("evaluate"):
            result = evaluate(
                self.step,
                self.held_out,
                self.fleet.rollouts,
                self.fleet.rewards,
                evaluation_settings(self.job),
                timeout_seconds=float(self.job.rollout.timeout_seconds),
            )
        self.fleet.ask_reports(next_step=self.step + 1)
        self.evaluations.append(result.as_dict())
        self._told["evaluation_accuracy"] = result.accuracy
        self.tracker.log_step(self.step, {"evaluation_accuracy": result.accuracy})
        self.progress.say(
            f"held-out accuracy at step {self.step}: {result.accuracy:.3f} "
            f"(95 % interval ±{result.half_width:.3f}, {result.questions} questions)"
        )

    def save(self) -> None:
        """Begin a checkpoint of this step, unless there is one, and show its answers."""
        if self.checkpoints.started == self.step:
            return
        with self.stage("checkpoint"):
            times = dict(self.clock.total)
            state = RunState(self.step, self.evaluations, times, self.clock.seconds)
            self.checkpoints.start(state, self.collector.carried, self._told)
            self._show()

    def _show(self) -> None:
        assert self.last is not None
        try:
            self.spotlight.write(self.step, *self.last)
        except (OSError, ValueError) as error:
            self._spotlights_lost += 1
            _log.warning("the answers of step %d cannot be shown: %s", self.step, error)

    def _is_due(self, every: int) -> bool:
        return every > 0 and self.step % every == 0

    def _is_last(self) -> bool:
        return self.step == self.job.learner.num_steps or self.drain.requested

    def settle(self) -> None:
        """Complete the checkpoint that is being written; `/metrics` shows it.

        It is no part of the last step's record, which was written without it.
        """
        self.checkpoints.settle(wait=True)
        self.tracker.announce(self.standing() | self._durability())

    def _schedule(self, seconds: float) -> dict[str, float]:
        """Whose processes computed when, in the step that took `seconds` until now."""
        now = time.time()
        spans = self._hear()
        values = schedule_values(spans, start=now - seconds, end=now)
        for role in spans:
            took = values[labelled("role_busy_seconds", role)]
            self.busy_seconds[role] = self.busy_seconds.get(role, 0.0) + took
        return values

    def _hear(self) -> dict[str, list[list[Span]]]:
        """Take what the roles report: when they computed, and what they said, into the log."""
        reports = self.fleet.take_reports(step=self.step)
        told = [one for processes in reports.values() for process in processes for one in process]
        retell(line for report in told for line in report.lines)
        return {
            role: [[span for one in process for span in one.spans] for process in processes]
            for role, processes in reports.items()
        }

    def _durability(self) -> dict[str, float]:
        """Counters as what was added since this was last asked."""
        totals = {
            "checkpoint_failures": float(self.checkpoints.failures),
            "quarantined_rows": float(sum(self.feed.quarantine.counts.values())),
        }
        if self._spotlights_lost:
            totals[labelled("sink_dropped", "spotlight")] = float(self._spotlights_lost)
        added = {n: total - self._seen.get(n, 0.0) for n, total in totals.items()}
        self._seen |= totals
        completed = float(self.checkpoints.last_step or 0)
        if self._seen.get("checkpoint_step", 0.0) != completed and self.checkpoints.last_seconds:
            added["checkpoint_seconds"] = self.checkpoints.last_seconds
        self._seen["checkpoint_step"] = completed
        return added


def _histogram(step: int, batches: Sequence[Assembled]) -> Histogram:
    values = [nats for b in batches for nats in b.token_dependency[b.batch.response_mask].tolist()]
    return Histogram.of(values, label=f"step {step}")


def as_text(job_object: dict[str, Any]) -> str:
    """The job object as it is stored beside a checkpoint."""
    return json.dumps(job_object, indent=1)
