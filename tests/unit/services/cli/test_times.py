"""How long, how long ago, and what a user wrote."""

from datetime import UTC, datetime

import pytest

from vppo_core.errors import InvalidSpecError
from vppo_services.cli.checkpoints import size
from vppo_services.cli.views.times import age, fine_span, moment, span, stamp

NOW = datetime(2026, 11, 8, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3, "0s"),
        (0, "0s"),
        (8.9, "8s"),
        (119, "119s"),
        (120, "2m"),
        (200, "3m20s"),
        (599, "9m59s"),
        (600, "10m"),
        (7199, "119m"),
        (7200, "2h"),
        (7500, "2h5m"),
        (36_000, "10h"),
        (172_799, "47h"),
        (172_800, "2d"),
        (180_000, "2d2h"),
        (864_000, "10d"),
        (1e9, "11574d"),
    ],
)
def test_a_span_keeps_the_fineness_that_matters(seconds: float, text: str) -> None:
    assert span(seconds) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.04, "0.0s"), (3.25, "3.2s"), (12.7, "12s")])
def test_a_stage_is_told_to_tenths_below_ten_seconds(seconds: float, text: str) -> None:
    assert fine_span(seconds) == text


def test_an_age_is_told_from_now() -> None:
    assert age(datetime(2026, 11, 8, 11, 55, tzinfo=UTC), NOW) == "5m"
    assert age(None, NOW) == "-"


@pytest.mark.parametrize(
    ("text", "stamped"),
    [
        ("2026-11-01", "2026-11-01T00:00:00Z"),
        ("2026-11-01T10:30:00", "2026-11-01T10:30:00Z"),
        ("2026-11-01T10:30:00+02:00", "2026-11-01T08:30:00Z"),
        ("90m", "2026-11-08T10:30:00Z"),
        ("7d", "2026-11-01T12:00:00Z"),
        ("2w", "2026-10-25T12:00:00Z"),
    ],
)
def test_a_time_may_be_written_in_several_ways(text: str, stamped: str) -> None:
    assert stamp(moment(text, NOW, option="--from")) == stamped


@pytest.mark.parametrize("text", ["", "yesterday", "7", "7y", "-7d", "2026-13-01", "999999w"])
def test_what_is_no_time_is_a_sentence(text: str) -> None:
    with pytest.raises(InvalidSpecError, match="--from must be a date, a time, or a span"):
        moment(text, NOW, option="--from")


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1536, "1.5 KiB"),
        (3 * 2**30, "3.0 GiB"),
        (2**60, "1048576.0 TiB"),
    ],
)
def test_a_size_has_its_unit(count: int, text: str) -> None:
    assert size(count) == text
