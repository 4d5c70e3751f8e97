import os
import select
from collections.abc import Iterator

import numpy as np
import pytest
import ray

from vppo_core.batch.prompts import PromptBatch
from vppo_core.batch.trajectories import TrajectoryBatch
from vppo_core.errors import InvalidSpecError
from vppo_core.spec.placement import PoolSpec
from vppo_core.spec.reward import RewardSpec
from vppo_services.reward.deployment import start

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def ray_node() -> Iterator[None]:
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        object_store_memory=80 * 2**20,
        runtime_env={"env_vars": {"PYTHONPATH": os.environ.get("PYTHONPATH", "")}},
    )
    yield
    ray.shutdown()


def two_prompts() -> PromptBatch:
    return PromptBatch(
        uids=("a", "b"),
        visits=np.zeros(2, np.int32),
        prompt_ids=np.ones((2, 3), np.int32),
        prompt_lengths=np.full(2, 3, np.int32),
        image_bytes=np.zeros(0, np.uint8),
        image_offsets=np.zeros(1, np.int64),
        image_prompt=np.zeros(0, np.int32),
        image_grids=np.zeros((0, 3), np.int32),
        problems=("first?", "second?"),
        answers=("1/2", "x+1"),
        processor_fingerprint="none",
    )


def trajectories_of(prompt_index: list[int], texts: tuple[str, ...]) -> TrajectoryBatch:
    rows = len(texts)
    return TrajectoryBatch(
        prompt_index=np.array(prompt_index, np.int32),
        sample_index=np.arange(rows, dtype=np.int32),
        response_ids=np.ones((rows, 2), np.int32),
        response_mask=np.ones((rows, 2), np.bool_),
        rollout_log_probs=np.zeros((rows, 2), np.float32),
        is_finished=np.ones(rows, np.bool_),
        texts=texts,
        policy_version=0,
    )


def has_ended(pid: int) -> bool:
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], 10.0)[0])
    finally:
        os.close(descriptor)


@pytest.mark.usefixtures("ray_node")
def test_groups_are_graded_at_once_against_the_answer_of_their_prompt() -> None:
    handle = start(RewardSpec(), PoolSpec(), num_cpus=0.5, max_concurrency=4)
    first = trajectories_of([1, 0, 0], (r"\boxed{1+x}", r"\boxed{0.5}", "half"))
    second = trajectories_of([0, 1], (r"\boxed{x+1}", r"\boxed{x+1}"))
    prompts = ray.put(two_prompts())
    batches = ray.get([handle.grade.remote(prompts, group) for group in (first, second)])
    assert [batch.verdicts for batch in batches] == [("ok", "ok", "no_box"), ("wrong", "ok")]
    assert batches[0].rewards.tolist() == [1.0, 1.0, 0.0]
    counts = ray.get(handle.counts.remote())
    assert (counts["ok"], counts["wrong"], counts["no_box"]) == (3, 1, 1)
    ray.kill(handle)


@pytest.mark.usefixtures("ray_node")
def test_grading_processes_go_with_the_role_however_it_ends() -> None:
    spec = RewardSpec(grader="exact_match")
    killed = start(spec, PoolSpec(replicas=2), num_cpus=0)
    closed = start(spec, PoolSpec(), num_cpus=0)
    pids = ray.get(killed.ping.remote()) + ray.get(closed.ping.remote())
    ray.get(closed.close.remote())
    ray.kill(killed)
    assert len(pids) == 3
    assert all(has_ended(pid) for pid in pids)


@pytest.mark.usefixtures("ray_node")
def test_a_grader_that_cannot_be_loaded_fails_at_start() -> None:
    with pytest.raises(InvalidSpecError, match=r"reward\.grader.*'no_such_package:grade'"):
        start(RewardSpec(grader="no_such_package:grade"), PoolSpec(), num_cpus=0)
