import base64
from datetime import UTC, datetime
from typing import Any

import pytest

from vppo_core.archive.cursor import cursor_after, position_of
from vppo_core.archive.errors import BadCursorError, CursorMismatchError
from vppo_core.archive.records import JobQuery
from vppo_core.spec.status import JobPhase

POSITION = (datetime(2026, 5, 1, 12, 0, 0, 123456, tzinfo=UTC), "0b0e9f6e")
FILTERS: dict[str, Any] = {
    "phases": (JobPhase.FAILED, JobPhase.RUNNING),
    "labels": (("a", "1"), ("b", "2")),
    "created_after": datetime(2026, 1, 1, tzinfo=UTC),
}
CURSOR = cursor_after(POSITION, JobQuery(**FILTERS))


def test_a_cursor_gives_its_position_back() -> None:
    assert position_of(JobQuery(cursor=CURSOR, **FILTERS)) == POSITION


def test_the_size_of_the_page_and_the_order_of_filters_do_not_matter() -> None:
    other = {**FILTERS, "phases": FILTERS["phases"][::-1], "labels": FILTERS["labels"][::-1]}
    assert position_of(JobQuery(cursor=CURSOR, limit=99, **other)) == POSITION


def test_without_a_cursor_there_is_no_position() -> None:
    assert position_of(JobQuery()) is None


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"phases": ()}, id="no-phase"),
        pytest.param({"queue": "big"}, id="another-queue"),
        pytest.param({"owner": ""}, id="an-owner-without-name"),
        pytest.param({"labels": (("a", "1"),)}, id="fewer-labels"),
        pytest.param({"labels": (), "annotations": FILTERS["labels"]}, id="annotations-instead"),
        pytest.param({"created_after": None}, id="any-time"),
        pytest.param({"name_contains": "a"}, id="a-name"),
    ],
)
def test_a_cursor_of_a_list_with_other_filters_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(CursorMismatchError, match="cursor must come with the filters"):
        position_of(JobQuery(cursor=CURSOR, **{**FILTERS, **change}))


@pytest.mark.parametrize("at", range(len(CURSOR)))
def test_a_cursor_with_one_sign_changed_is_refused(at: int) -> None:
    other = "A" if CURSOR[at] != "A" else "B"
    with pytest.raises(BadCursorError):
        position_of(JobQuery(cursor=CURSOR[:at] + other + CURSOR[at + 1 :], **FILTERS))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("abc", id="short"),
        pytest.param(CURSOR[:-1], id="cut"),
        pytest.param(CURSOR + "A", id="longer"),
        pytest.param("ü" * 40, id="not-ascii"),
        pytest.param("?" * 40, id="no-base64"),
        pytest.param("\0", id="nul"),
        pytest.param(base64.urlsafe_b64encode(b"x" * 60).decode(), id="made-up"),
        pytest.param("A" * 100_000, id="huge"),
    ],
)
def test_a_cursor_that_no_reply_gave_is_refused(text: str) -> None:
    with pytest.raises(BadCursorError, match="nextCursor of an earlier reply"):
        position_of(JobQuery(cursor=text))
