"""Bubble and overlap come from when processes computed, not from how long."""

import pytest

from vppo_services.driver.schedule import schedule_values, union


def test_busy_seconds_are_summed_over_processes_and_cut_to_the_step() -> None:
    spans = {"rollout": [[(0.0, 12.0)], [(15.0, 18.0)]], "learner": [[(19.0, 25.0)]]}
    values = schedule_values(spans, start=10.0, end=20.0)
    assert values["role_busy_seconds{rollout}"] == 5.0
    assert values["role_busy_seconds{learner}"] == 1.0


def test_the_bubble_is_the_time_in_which_nobody_computed() -> None:
    spans = {
        "rollout": [[(10.0, 14.0)], [(12.0, 15.0)]],
        "reward": [[(14.5, 15.5)]],
        "dependency": [[(13.0, 16.0)]],
        "learner": [[(17.0, 19.0)]],
    }
    assert schedule_values(spans, start=10.0, end=20.0)["bubble_share"] == pytest.approx(0.2)


def test_side_by_side_and_one_after_another_differ_though_their_seconds_are_the_same() -> None:
    together = {"rollout": [[(0.0, 5.0)]], "dependency": [[(0.0, 5.0)]]}
    apart = {"rollout": [[(0.0, 5.0)]], "dependency": [[(5.0, 10.0)]]}
    values = [schedule_values(spans, start=0.0, end=10.0) for spans in (together, apart)]
    assert [v["role_busy_seconds{dependency}"] for v in values] == [5.0, 5.0]
    assert [v["bubble_share"] for v in values] == [0.5, 0.0]
    assert [v["overlap_share"] for v in values] == [1.0, 0.0]


def test_the_overlap_is_the_share_of_scoring_that_sampling_hid() -> None:
    spans = {
        "rollout": [[(0.0, 2.0), (4.0, 6.0)], [(1.0, 3.0)]],
        "dependency": [[(2.0, 5.0)], [(4.5, 7.0)]],
    }
    values = schedule_values(spans, start=0.0, end=10.0)
    assert values["overlap_share"] == pytest.approx(3.0 / 5.0)


def test_a_step_without_scoring_has_no_overlap_and_an_idle_one_is_all_bubble() -> None:
    nobody: dict[str, list[list[tuple[float, float]]]] = {"rollout": [[]], "dependency": [[]]}
    values = schedule_values(nobody, start=0.0, end=10.0)
    assert "overlap_share" not in values
    assert values["bubble_share"] == 1.0


def test_clocks_that_disagree_never_give_less_than_nothing_or_more_than_all() -> None:
    spans = {"rollout": [[(-5.0, 25.0), (30.0, 20.0)]], "dependency": [[(-1.0, 11.0)]]}
    values = schedule_values(spans, start=0.0, end=10.0)
    assert values["bubble_share"] == 0.0
    assert values["overlap_share"] == pytest.approx(1.0)
    assert "bubble_share" not in schedule_values(spans, start=10.0, end=10.0)


def test_a_union_is_in_order_and_does_not_touch() -> None:
    assert union([(3.0, 4.0), (0.0, 1.0), (1.0, 2.0), (0.5, 0.7)]) == [(0.0, 2.0), (3.0, 4.0)]
    assert union([]) == []
