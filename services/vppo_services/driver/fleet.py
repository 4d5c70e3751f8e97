"""Placement -> placed processes, and the calls that concern all of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import ray

from vppo_core.batch.training import TrainingBatch
from vppo_core.spec.job import VPPOJobSpec
from vppo_core.spec.placement import PoolSpec
from vppo_services.dependency import deployment as dependency
from vppo_services.learner import deployment as learner
from vppo_services.learner.metrics import UpdateMetrics
from vppo_services.reward import deployment as reward
from vppo_services.rollout import deployment as rollout
from vppo_services.transport.calls import await_all
from vppo_services.transport.node import pool_options
from vppo_services.transport.report import RoleReport
from vppo_services.transport.role_nodes import node_parts
from vppo_services.transport.weights import WeightManifest


@dataclass(slots=True)
class Fleet:
    """Handles of every process of a run."""

    job: VPPOJobSpec
    rollouts: list[Any]
    rewards: list[Any]
    dependencies: list[Any]
    learners: list[Any]
    manifest: WeightManifest
    policy_version: int = 0
    _asked: list[dict[str, list[Any]]] = field(default_factory=list)

    @classmethod
    def start(cls, job: VPPOJobSpec) -> "Fleet":
        """Start all roles at once and wait until each has loaded its model.

        Raises:
            RoleDiedError: a role could not start; the message has its cause.
        """
        placement, timeout = job.placement, float(job.learner.timeout_seconds)
        learners = [
            learner.start(job, rank, pool_options(placement.learner, "learner"))
            for rank in range(placement.learner.replicas)
        ]
        rollouts = _pool(placement.rollout, "rollout", rollout.start, job)
        dependencies = _pool(placement.dependency, "dependency", dependency.start, job)
        rewards = [
            reward.start(job.reward, part, number, **options)
            for number, (part, options) in enumerate(node_parts(placement.reward, "reward"))
        ]
        [address] = await_all(
            [learners[0].open_rendezvous.remote()], role="learner", step=0, timeout_seconds=timeout
        )
        manifests = await_all(
            [handle.load.remote(address) for handle in learners],
            role="learner",
            step=0,
            timeout_seconds=timeout,
        )
        pools = [("rollout", rollouts), ("dependency", dependencies), ("reward", rewards)]
        for role, handles in pools:
            pings = [handle.ping.remote() for handle in handles]
            await_all(pings, role=role, step=0, timeout_seconds=timeout)
        fleet = cls(job, rollouts, rewards, dependencies, learners, manifests[0])
        fleet._connect_weights()
        return fleet

    def _connect_weights(self) -> None:
        timeout = float(self.job.learner.timeout_seconds)
        sender, readers = self.learners[0], self._readers()
        [address] = await_all(
            [sender.open_weights.remote()], role="learner", step=0, timeout_seconds=timeout
        )
        world = len(readers) + 1
        joins = [sender.connect_weights.remote(world)]
        joins += [
            reader.connect_weights.remote(address, rank, world)
            for rank, reader in enumerate(readers, start=1)
        ]
        await_all(joins, role="weight transfer", step=0, timeout_seconds=timeout)

    def publish(self, version: int, *, step: int) -> None:
        """Send the learner's weights to every replica, as `version`; all of them assert it.

        Every process is asked for its report on `step` too: what it does from here on is for the
        next one.

        Raises:
            RoleTimeoutError: a replica did not take its weights in time.
        """
        calls = [handle.send_weights.remote(version) for handle in self.learners]
        takes = [r.receive_weights.remote(self.manifest, version) for r in self._readers()]
        self.ask_reports(next_step=step + 1)  # answered after the weights, and not waited for
        answers = await_all(
            takes + calls,
            role="weight transfer",
            step=step,
            timeout_seconds=float(self.job.learner.timeout_seconds),
        )
        assert set(answers[: len(takes)]) == {version}, answers
        self.policy_version = version

    def begin_update(self, batch: TrainingBatch, prompts: Sequence[Any]) -> list[Any]:
        """Begin one optimizer step on every rank, which does them in the order of these calls.

        Args:
            prompts: object references of the prompts, in the order of `batch.prompt_index`.

        Returns:
            What `end_update` waits for.
        """
        stored = ray.put(batch)
        return [handle.update.remote(stored, *prompts) for handle in self.learners]

    def end_update(self, begun: Sequence[Any], *, step: int) -> UpdateMetrics:
        """Wait for an optimizer step on every rank.

        Raises:
            DivergedError: too many gradients in a row were not finite.
        """
        metrics: UpdateMetrics = self._await_learners(begun, step=step)[0]
        return metrics

    def ask_reports(self, *, next_step: int) -> None:
        """Ask every process what it did since it was asked last, without waiting.

        Args:
            next_step: what it does from then on is for this step.
        """
        pools = {
            "rollout": self.rollouts,
            "reward": self.rewards,
            "dependency": self.dependencies,
            "learner": self.learners,
        }
        asked = {
            role: [handle.report.remote(next_step) for handle in pool]
            for role, pool in pools.items()
        }
        self._asked.append(asked)

    def take_reports(self, *, step: int) -> dict[str, list[list[RoleReport]]]:
        """The answers to all that was asked since this was last called, a list a process."""
        timeout = float(self.job.rollout.timeout_seconds)
        asked, self._asked = self._asked, []
        reports: dict[str, list[list[RoleReport]]] = {}
        for calls in asked:
            for role, refs in calls.items():
                answers = await_all(refs, role=role, step=step, timeout_seconds=timeout)
                told = reports.setdefault(role, [[] for _ in answers])
                for process, answer in zip(told, answers, strict=True):
                    process.append(answer)
        return reports

    def on_learners(self, method: str, *arguments: Any, step: int) -> list[Any]:
        """Call a method of every rank with the same arguments and wait for all."""
        calls = [getattr(handle, method).remote(*arguments) for handle in self.learners]
        return self._await_learners(calls, step=step)

    def _await_learners(self, calls: Sequence[Any], *, step: int) -> list[Any]:
        timeout = float(self.job.learner.timeout_seconds)
        return await_all(calls, role="learner", step=step, timeout_seconds=timeout)

    def _readers(self) -> list[Any]:
        return [*self.rollouts, *self.dependencies]


def cpus_of(job: VPPOJobSpec) -> int:
    """CPU threads that all roles ask for together."""
    placement = job.placement
    pools = (placement.rollout, placement.reward, placement.dependency, placement.learner)
    return sum(pool.replicas * pool.cpus for pool in pools)


def _pool(pool: PoolSpec, role: str, start: Any, job: VPPOJobSpec) -> list[Any]:
    return [start(job, pool_options(pool, role), number) for number in range(pool.replicas)]
