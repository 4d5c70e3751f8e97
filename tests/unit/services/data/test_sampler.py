import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vppo_core.errors import CheckpointError
from vppo_services.data.sampler import RowSampler

sizes = st.integers(1, 40)
seeds = st.integers(0, 2**31 - 1)
draws = st.lists(st.integers(0, 60), max_size=8)


@given(rows=sizes, seed=seeds, before=draws, after=draws, shuffle=st.booleans())
def test_a_restored_sampler_goes_on_with_the_very_next_row(
    rows: int, seed: int, before: list[int], after: list[int], shuffle: bool
) -> None:
    first = RowSampler(rows, seed, shuffle)
    for n in before:
        first.next(n)
    second = RowSampler(rows, seed, shuffle)
    second.restore(first.state())

    assert [second.next(n) for n in after] == [first.next(n) for n in after]
    assert second.state() == first.state()


@given(rows=sizes, seed=seeds, n=st.integers(1, 60), shuffle=st.booleans())
def test_every_epoch_holds_every_row_once_however_it_is_cut(
    rows: int, seed: int, n: int, shuffle: bool
) -> None:
    sampler = RowSampler(rows, seed, shuffle)
    drawn = [pair for _ in range(3 * rows // n + 1) for pair in sampler.next(n)]

    for epoch in range(3):
        part = drawn[epoch * rows : (epoch + 1) * rows]
        assert {visit for _, visit in part} == {epoch}
        assert sorted(row for row, _ in part) == list(range(rows))


def test_more_rows_than_there_are_come_from_several_epochs() -> None:
    assert RowSampler(2, 0, shuffle=False).next(5) == [(0, 0), (1, 0), (0, 1), (1, 1), (0, 2)]


def test_the_order_changes_with_seed_and_epoch_and_is_fixed_for_ever() -> None:
    sampler = RowSampler(6, seed=1)
    first, second = ([row for row, _ in sampler.next(6)] for _ in range(2))

    assert first == [3, 5, 2, 0, 1, 4]
    assert second == [0, 5, 3, 4, 2, 1]
    assert [row for row, _ in RowSampler(6, seed=2).next(6)] not in (first, second)


def test_the_global_generator_is_left_alone() -> None:
    np.random.seed(3)
    before = np.random.get_state()[1].copy()

    RowSampler(10, 0).next(25)

    assert np.array_equal(np.random.get_state()[1], before)


@pytest.mark.parametrize("state", [{"epoch": 0, "position": 5}, {"epoch": -1, "position": 0}])
def test_a_cursor_outside_of_the_data_set_is_refused(state: dict[str, int]) -> None:
    with pytest.raises(CheckpointError, match="must lie within the data set's 5 rows"):
        RowSampler(5, 0).restore(state)
