"""Batches refuse arrays that disagree, split without losing a row, and survive as bytes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vppo_core.batch.axes import check_axes, nbytes, pad_right
from vppo_core.batch.codec import from_bytes, to_bytes
from vppo_core.batch.prompts import PromptBatch
from vppo_core.batch.scores import RewardBatch
from vppo_core.batch.training import split_by_tokens
from vppo_core.batch.trajectories import TrajectoryBatch
from vppo_core.errors import CheckpointError, ConsistencyError


def test_axes_that_disagree_name_array_and_axis() -> None:
    with pytest.raises(ConsistencyError, match=r"Batch\.b has 3 along T"):
        check_axes("Batch", a=(np.zeros((2, 4)), "B T"), b=(np.zeros((2, 3)), "B T"))


def test_an_array_of_another_rank_is_refused() -> None:
    with pytest.raises(ConsistencyError, match=r"must have axes \[B T\]"):
        check_axes("Batch", a=(np.zeros(2), "B T"))


def test_rows_are_padded_with_zeros_at_the_end() -> None:
    padded = pad_right([np.array([1, 2, 3]), np.array([4])], np.int32)
    assert padded.tolist() == [[1, 2, 3], [4, 0, 0]]


@given(
    st.lists(st.integers(1, 500), min_size=1, max_size=60),
    st.integers(1, 5),
    st.integers(64, 1000),
)
def test_a_split_holds_every_row_once_within_budget(
    lengths: list[int], ranks: int, budget: int
) -> None:
    split = split_by_tokens(np.array(lengths), num_ranks=ranks, max_tokens=budget)
    rows = [row for rank in split for batch in rank for row in batch]
    assert sorted(rows) == list(range(len(lengths)))
    assert len({len(rank) for rank in split}) == 1, "collectives of all ranks must match"
    for rank in split:
        for batch in rank:
            assert len(batch) <= 1 or sum(lengths[row] for row in batch) <= budget


def test_ranks_get_about_the_same_number_of_tokens() -> None:
    lengths = np.random.default_rng(0).integers(1, 100, 200)
    split = split_by_tokens(lengths, num_ranks=4, max_tokens=10_000)
    loads = [sum(int(lengths[row]) for batch in rank for row in batch) for rank in split]
    assert max(loads) - min(loads) <= 100


def test_prompts_survive_as_bytes(prompts: list[PromptBatch]) -> None:
    again = from_bytes(PromptBatch, to_bytes(prompts[0]))
    assert again.uids == prompts[0].uids
    assert again.image(0) == prompts[0].image(0)
    assert again.ids(0).tolist() == prompts[0].ids(0).tolist()
    assert again.processor_fingerprint == prompts[0].processor_fingerprint


def test_trajectories_survive_as_bytes_bit_for_bit(trajectories: list[TrajectoryBatch]) -> None:
    again = from_bytes(TrajectoryBatch, to_bytes(trajectories[0]))
    assert again.rollout_log_probs.tobytes() == trajectories[0].rollout_log_probs.tobytes()
    assert again.response_mask.dtype == np.bool_
    assert again.texts == trajectories[0].texts
    assert again.policy_version == trajectories[0].policy_version


def test_bytes_of_something_else_are_a_clear_error() -> None:
    with pytest.raises(CheckpointError, match="RewardBatch cannot be read"):
        from_bytes(RewardBatch, b"no archive")


def test_weight_of_a_batch_counts_arrays_and_strings() -> None:
    batch = RewardBatch(
        rewards=np.zeros(2, np.float32),
        accuracies=np.zeros(2, np.float32),
        verdicts=("ok", "wrong"),
    )
    assert nbytes(batch) == 8 + 8 + 2 + 5
