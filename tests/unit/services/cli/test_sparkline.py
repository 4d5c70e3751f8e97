"""A curve in one line."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vppo_services.cli.views.sparkline import ASCII_BLOCKS, BLOCKS, sparkline


@pytest.mark.parametrize(
    ("values", "line"),
    [
        pytest.param([], "", id="nothing"),
        pytest.param([0.0, 1.0], "▁█", id="least-and-greatest"),
        pytest.param([0, 1, 2, 3, 4, 5, 6, 7], "▁▂▃▄▅▆▇█", id="a-rise"),
        pytest.param([5.0, 5.0, 5.0], "▄▄▄", id="level"),
        pytest.param([0.0, None, 1.0], "▁ █", id="a-gap"),
        pytest.param([0.0, math.nan, math.inf, 1.0], "▁  █", id="not-finite"),
        pytest.param([None, None], "  ", id="nothing-known"),
        pytest.param([-2.0, -1.0], "▁█", id="negative"),
    ],
)
def test_a_curve_goes_from_its_least_to_its_greatest(values: list[float | None], line: str) -> None:
    assert sparkline(values, 40) == line


def test_many_values_are_averaged_in_equal_runs() -> None:
    assert sparkline([float(value) for value in range(80)], 8) == BLOCKS
    assert sparkline([0.0, 10.0, 20.0, 30.0], 2) == "▁█"


def test_a_plain_terminal_gets_plain_signs() -> None:
    assert set(sparkline([1, 2, 3, 4, 5, 6, 7, 8], 8, blocks=ASCII_BLOCKS)) == set(ASCII_BLOCKS)


@given(
    st.lists(st.floats(-1e300, 1e300) | st.none() | st.just(math.nan), max_size=300),
    st.integers(1, 80),
)
def test_a_curve_never_fails_and_never_outgrows_its_place(
    values: list[float | None], width: int
) -> None:
    line = sparkline(values, width)
    assert len(line) == min(len(values), width)
    assert set(line) <= {*BLOCKS, " "}
