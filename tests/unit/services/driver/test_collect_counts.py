"""Every sampled answer is trained on, carried or wasted; none is counted twice."""

from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest

from vppo_core.batch.scores import RewardBatch
from vppo_core.spec.job import VPPOJobSpec
from vppo_services.driver import collect
from vppo_services.driver.collect import Collector, CollectStats
from vppo_services.driver.groups import Group
from vppo_services.transport.refs import BatchRef

ROWS, TOKENS = 2, 10


def graded(*accuracies: float) -> RewardBatch:
    array = np.array(accuracies, np.float32)
    return RewardBatch(rewards=array, accuracies=array, verdicts=("ok",) * len(array))


class FakeRound:
    """Groups of two answers and ten tokens; each right once, unless the test says otherwise."""

    outcomes: ClassVar[list[list[RewardBatch]]] = []

    def __init__(self, fleet: Any, *_: Any) -> None:
        self._version = fleet.policy_version
        self.rewards = dict(enumerate(FakeRound.outcomes.pop(0)))
        self.response_tokens = dict.fromkeys(self.rewards, TOKENS)
        self.num_bytes = 0

    def run(self, keeps: Any) -> list[Group]:
        def group(rewards: RewardBatch) -> Group:
            trajectories: BatchRef[Any] = BatchRef(None, ROWS, 0, self._version)
            return Group(None, trajectories, rewards, None, TOKENS)  # type: ignore[arg-type]

        return [group(rewards) for rewards in self.rewards.values() if keeps(rewards)]


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(collect, "_Round", FakeRound)

    def make(**algorithm: Any) -> tuple[Collector, Any]:
        job = VPPOJobSpec.model_validate(
            {
                "model": {"source": "m"},
                "data": {"source": "d"},
                "rollout": {"promptsPerStep": 2, "groupSize": ROWS},
                "learner": {"promptsPerUpdate": 2},
                "algorithm": algorithm,
            }
        )
        fleet = SimpleNamespace(policy_version=0)
        feed = SimpleNamespace(next=lambda size: [None] * size)
        return Collector(fleet, feed, job), fleet  # type: ignore[arg-type]

    return make


GOOD, RIGHT, WRONG = graded(1.0, 0.0), graded(1.0, 1.0), graded(0.0, 0.0)


def wasted(stats: CollectStats) -> tuple[int, int]:
    return stats.wasted_samples, stats.wasted_tokens


def test_groups_without_signal_are_wasted(collector: Any) -> None:
    subject, _ = collector()
    FakeRound.outcomes = [[GOOD, RIGHT], [WRONG, GOOD]]
    groups, stats = subject.collect(1)
    assert len(groups) == 2
    assert (stats.samples, stats.tokens) == (4 * ROWS, 4 * TOKENS)
    assert wasted(stats) == (2 * ROWS, 2 * TOKENS)
    assert (stats.sampled, stats.no_signal) == (4, 2)
    assert (stats.dropped_right, stats.dropped_wrong) == (1, 1)


def test_a_surplus_that_is_carried_is_not_wasted_until_it_is_too_old(collector: Any) -> None:
    subject, fleet = collector(carryOver=True, maxStaleness=1)
    FakeRound.outcomes = [[GOOD, WRONG], [GOOD, GOOD]]
    _, stats = subject.collect(1)
    assert wasted(stats) == (ROWS, TOKENS)
    assert len(subject.carried) == 1

    fleet.policy_version = 2
    FakeRound.outcomes = [[GOOD, GOOD]]
    _, stats = subject.collect(2)
    assert stats.stale == 1
    assert (stats.samples, wasted(stats)) == (2 * ROWS, (ROWS, TOKENS))


def test_a_surplus_that_is_not_carried_is_wasted(collector: Any) -> None:
    subject, _ = collector(carryOver=False)
    FakeRound.outcomes = [[GOOD, WRONG], [GOOD, GOOD]]
    groups, stats = subject.collect(1)
    assert stats.samples == sum(map(len, groups)) + stats.wasted_samples
    assert wasted(stats) == (2 * ROWS, 2 * TOKENS)


def test_without_dynamic_sampling_nothing_is_wasted_and_no_signal_is_seen(collector: Any) -> None:
    subject, _ = collector(dynamicSampling=False)
    FakeRound.outcomes = [[RIGHT, WRONG]]
    groups, stats = subject.collect(1)
    assert len(groups) == 2
    assert wasted(stats) == (0, 0)
    assert stats.no_signal == 2
