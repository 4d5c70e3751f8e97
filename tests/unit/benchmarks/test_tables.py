from dataclasses import dataclass

import numpy as np
import pytest

from benchmarks.tables import (
    Result,
    median_of,
    median_share,
    naive_pixel_bytes,
    on_the_wire,
    stage_medians,
    table,
)

STEPS = [
    {"step_seconds": 90.0, "stage_seconds{sample}": 80.0, "role_busy_seconds{dependency}": 40.0},
    {"step_seconds": 10.0, "stage_seconds{sample}": 5.0, "role_busy_seconds{dependency}": 1.0},
    {"step_seconds": 20.0, "stage_seconds{sample}": 12.0, "role_busy_seconds{dependency}": 4.0},
    {
        "step_seconds": 10.0,
        "stage_seconds{sample}": 7.0,
        "stage_seconds{checkpoint}": 1.0,
        "role_busy_seconds{dependency}": 1.5,
    },
]


def test_medians_leave_the_first_step_out() -> None:
    assert median_of(STEPS, "step_seconds") == 10.0
    assert median_share(STEPS, "role_busy_seconds{dependency}") == pytest.approx(0.15)


def test_a_single_step_is_measured_as_it_is() -> None:
    assert median_of(STEPS[:1], "step_seconds") == 90.0


def test_stages_have_seconds_share_and_a_rest() -> None:
    stages = stage_medians(STEPS)
    assert stages["sample"] == {"seconds": 7.0, "share": pytest.approx(0.6)}
    assert stages["checkpoint"]["seconds"] == 0.0, "most steps save nothing"
    assert stages["other"] == {"seconds": 5.0, "share": pytest.approx(0.4)}
    assert "publish" not in stages, "it never took time"


def test_naive_pixels_are_float32_of_two_views_for_every_rollout() -> None:
    grids = np.array([[1, 4, 4], [1, 70, 70]], dtype=np.int32)
    assert naive_pixel_bytes(grids, 1176, 8) == (16 + 4900) * 1176 * 4 * 8 * 2


def test_naive_pixels_of_many_large_images_do_not_overflow() -> None:
    grids = np.full((2000, 3), 1500, dtype=np.int32)
    assert naive_pixel_bytes(grids, 1, 1) == 2000 * 1500**3 * 8


def test_a_goal_is_met_up_to_its_bound() -> None:
    assert Result("ratio", 1.2, "x", 1.2).is_met is True
    assert Result("ratio", 1.21, "x", 1.2).is_met is False
    assert Result("ratio", 1.21, "x").is_met is None


def test_table_shows_result_goal_and_whether_it_is_met() -> None:
    lines = table(
        {
            "job": [Result("dependency", 0.081, "share", 0.12), Result("step", 2.5, "s")],
            "kl": [Result("time", 1.5, "x", 1.2)],
        }
    ).splitlines()
    assert [line.split() for line in lines[1:]] == [
        ["job", "dependency", "8.1", "%", "<=", "12", "%", "yes"],
        ["job", "step", "2.5", "s"],
        ["kl", "time", "1.5", "x", "<=", "1.2", "x", "NO"],
    ]
    assert len({line.find("<=") for line in lines if "<=" in line}) == 1


def test_options_are_reported_under_names_of_the_wire() -> None:
    @dataclass
    class Options:
        chunk_tokens: int = 2
        device: str = "cpu"

    assert on_the_wire(Options()) == {"chunkTokens": 2, "device": "cpu"}
