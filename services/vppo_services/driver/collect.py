"""Prompts -> scored groups, until enough groups carry signal.

A group moves on as soon as it can: graded when its last rollout is finished, scored when its grades
disagree, while other groups are still being sampled. The result does not depend on who was faster:
groups are taken in the order of their prompts.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import ray
import torch
from ray.exceptions import RayError

from vppo_core.algo.sampling import is_informative
from vppo_core.batch.axes import nbytes
from vppo_core.batch.prompts import PromptBatch
from vppo_core.batch.scores import RewardBatch
from vppo_core.batch.trajectories import TrajectoryBatch
from vppo_core.errors import ConsistencyError, NoSignalError, RoleTimeoutError
from vppo_core.spec.job import VPPOJobSpec
from vppo_services.driver.feed import PromptFeed
from vppo_services.driver.fleet import Fleet
from vppo_services.driver.groups import Group
from vppo_services.rollout.sampling import SamplingSettings
from vppo_services.transport.calls import translate
from vppo_services.transport.refs import BatchInfo, BatchRef


@dataclass(slots=True)
class CollectStats:
    """What one step's sampling did, counted in groups; answers and their tokens where it says."""

    rounds: int = 0
    sampled: int = 0
    no_signal: int = 0
    dropped_right: int = 0
    dropped_wrong: int = 0
    stale: int = 0
    stored_bytes: int = 0
    samples: int = 0
    tokens: int = 0
    wasted_samples: int = 0
    wasted_tokens: int = 0
    rewards: list[float] = field(default_factory=list)
    accuracies: list[float] = field(default_factory=list)
    verdicts: dict[str, int] = field(default_factory=dict)


class Collector:
    """Samples rounds of prompts and keeps what can be trained on."""

    def __init__(self, fleet: Fleet, feed: PromptFeed, job: VPPOJobSpec) -> None:
        self._fleet = fleet
        self._feed = feed
        self._job = job
        self.carried: list[Group] = []
        self._settings = SamplingSettings(
            group_size=job.rollout.group_size,
            max_tokens=job.rollout.max_response_tokens,
            temperature=job.rollout.temperature,
            top_p=job.rollout.top_p,
            top_k=job.rollout.top_k,
            run_seed=job.seed,
        )

    def collect(self, step: int) -> tuple[list[Group], CollectStats]:
        """`rollout.promptsPerStep` groups for this step, all with their scores on the way.

        Raises:
            NoSignalError: `algorithm.maxRounds` rounds were not enough.
            RoleDiedError, RoleTimeoutError: a role failed.
        """
        stats = CollectStats()
        wanted = self._job.rollout.prompts_per_step
        kept = self._fresh_enough(stats)
        while len(kept) < wanted:
            if stats.rounds == self._job.algorithm.max_rounds:
                raise NoSignalError(
                    f"step {step}: {stats.rounds} rounds gave {len(kept)} of {wanted} groups with "
                    f"signal ({stats.dropped_right} all right, {stats.dropped_wrong} all wrong); "
                    "choose questions nearer to the model's ability, or raise algorithm.maxRounds"
                )
            # Half of the groups may fall out: asking for twice the gap saves most second rounds.
            gap = wanted - len(kept)
            size = gap if stats.rounds == 0 else min(2 * gap, wanted)
            kept += self._round(self._feed.next(size), step, stats)
            stats.rounds += 1
        self.carried = kept[wanted:] if self._job.algorithm.carry_over else []
        if not self.carried:
            _waste(kept[wanted:], stats)
        return kept[:wanted], stats

    def _fresh_enough(self, stats: CollectStats) -> list[Group]:
        oldest = self._fleet.policy_version - self._job.algorithm.max_staleness
        fresh = [group for group in self.carried if group.policy_version >= oldest]
        stale = [group for group in self.carried if group.policy_version < oldest]
        stats.stale = len(stale)
        _waste(stale, stats)
        return fresh

    def _round(
        self, prompts: Sequence[BatchRef[PromptBatch]], step: int, stats: CollectStats
    ) -> list[Group]:
        round_ = _Round(self._fleet, self._settings, prompts, step)
        groups = round_.run(self._keeps)
        stats.stored_bytes += round_.num_bytes
        for index, rewards in round_.rewards.items():
            stats.stored_bytes += nbytes(rewards)
            self._count(rewards, round_.response_tokens[index], stats)
        return groups

    def _keeps(self, rewards: RewardBatch) -> bool:
        algorithm = self._job.algorithm
        return not algorithm.dynamic_sampling or self._has_signal(rewards)

    def _has_signal(self, rewards: RewardBatch) -> bool:
        low, high = self._job.algorithm.filter_low, self._job.algorithm.filter_high
        accuracies = torch.tensor(rewards.accuracies)[None]
        return bool(is_informative(accuracies, low=low, high=high).item())

    def _count(self, rewards: RewardBatch, tokens: int, stats: CollectStats) -> None:
        stats.sampled += 1
        stats.samples += len(rewards.rewards)
        stats.tokens += tokens
        stats.no_signal += not self._has_signal(rewards)
        stats.rewards += rewards.rewards.tolist()
        stats.accuracies += rewards.accuracies.tolist()
        for verdict in rewards.verdicts:
            stats.verdicts[verdict] = stats.verdicts.get(verdict, 0) + 1
        if not self._keeps(rewards):
            stats.wasted_samples += len(rewards.rewards)
            stats.wasted_tokens += tokens
            if float(rewards.accuracies.mean()) >= self._job.algorithm.filter_high:
                stats.dropped_right += 1
            else:
                stats.dropped_wrong += 1


def _waste(groups: Sequence[Group], stats: CollectStats) -> None:
    stats.wasted_samples += sum(len(group) for group in groups)
    stats.wasted_tokens += sum(group.response_tokens for group in groups)


class _Round:
    """One round of prompts on its way through rollout, reward and dependency."""

    def __init__(
        self,
        fleet: Fleet,
        settings: SamplingSettings,
        prompts: Sequence[BatchRef[PromptBatch]],
        step: int,
    ) -> None:
        self._fleet = fleet
        self._prompts = prompts
        self._step = step
        self._version = fleet.policy_version
        self.rewards: dict[int, RewardBatch] = {}
        self.response_tokens: dict[int, int] = {}
        self._trajectories: dict[int, BatchRef[TrajectoryBatch]] = {}
        self.num_bytes = sum(prompt.num_bytes for prompt in prompts)
        self._scores: dict[int, Any] = {}
        self._grading: dict[Any, int] = {}
        self._streams: dict[Any, list[int]] = {}
        for replica, handle in enumerate(fleet.rollouts):
            share = list(range(replica, len(prompts), len(fleet.rollouts)))
            if share:
                refs = [prompts[index].ref for index in share]
                stream = handle.generate.options(num_returns="streaming").remote(refs, settings)
                self._streams[stream] = share

    def run(self, keeps: Any) -> list[Group]:
        while self._streams or self._grading:
            for ready in self._wait():
                if ready in self._streams:
                    self._grade_next(ready)
                else:
                    self._score(ready, keeps)
        return [self._group(index) for index in sorted(self._scores)]

    def _wait(self) -> list[Any]:
        timeout = float(self._fleet.job.rollout.timeout_seconds)
        waiting = [*self._streams, *self._grading]
        ready, _ = ray.wait(waiting, timeout=timeout, fetch_local=False)
        if not ready:
            role = "rollout" if self._streams else "reward"
            raise RoleTimeoutError(
                f"role {role} finished no group for {timeout:.0f} s at step {self._step}; raise "
                "rollout.timeoutSeconds if it is only slow"
            )
        return list(ready)

    def _grade_next(self, stream: Any) -> None:
        try:
            info: BatchInfo = ray.get(next(stream))
            reference = next(stream)
        except StopIteration:
            del self._streams[stream]
            return
        except RayError as error:
            raise translate(error, role="rollout", step=self._step) from error
        if info.policy_version != self._version:
            raise ConsistencyError(
                f"a rollout replica answered from policy version {info.policy_version} at step "
                f"{self._step}, the learner published {self._version}; its update was lost"
            )
        index = self._streams[stream][info.position]
        trajectories: BatchRef[TrajectoryBatch] = BatchRef(
            reference, info.rows, info.num_bytes, info.policy_version
        )
        self._trajectories[index] = trajectories
        self.response_tokens[index] = info.response_tokens
        self.num_bytes += info.num_bytes
        handle = self._fleet.rewards[index % len(self._fleet.rewards)]
        self._grading[handle.grade.remote(self._prompts[index].ref, reference)] = index

    def _score(self, graded: Any, keeps: Any) -> None:
        index = self._grading.pop(graded)
        try:
            self.rewards[index] = ray.get(graded)
        except RayError as error:
            raise translate(error, role="reward", step=self._step) from error
        if keeps(self.rewards[index]):
            handle = self._fleet.dependencies[index % len(self._fleet.dependencies)]
            self._scores[index] = handle.score.remote(
                self._prompts[index].ref, self._trajectories[index].ref
            )
        else:
            # Let go of the rollouts at once; a reference kept is memory kept.
            del self._trajectories[index]

    def _group(self, index: int) -> Group:
        return Group(
            self._prompts[index],
            self._trajectories[index],
            self.rewards[index],
            self._scores[index],
            self.response_tokens[index],
        )
