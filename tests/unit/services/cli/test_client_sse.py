"""Bytes of a stream to events, whatever the pieces they come in."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vppo_services.cli.client.sse import EventReader, ServerEvent


def read(*pieces: bytes, last_id: str = "") -> tuple[list[ServerEvent], EventReader]:
    reader = EventReader(last_id)
    return [event for piece in pieces for event in reader.feed(piece)], reader


@pytest.mark.parametrize(
    ("text", "event"),
    [
        pytest.param("data: a\n\n", ServerEvent("message", "a", ""), id="data-alone"),
        pytest.param("event: log\ndata: a\nid: 3\n\n", ServerEvent("log", "a", "3"), id="all"),
        pytest.param("data: a\ndata: b\n\n", ServerEvent("message", "a\nb", ""), id="two-lines"),
        pytest.param("data:a\n\n", ServerEvent("message", "a", ""), id="no-blank"),
        pytest.param("data:  a\n\n", ServerEvent("message", " a", ""), id="one-blank-goes"),
        pytest.param("data: a\r\n\r\n", ServerEvent("message", "a", ""), id="crlf"),
        pytest.param("data: a\r\rdata", ServerEvent("message", "a", ""), id="cr"),
        pytest.param(": hi\ndata: a\n\n", ServerEvent("message", "a", ""), id="comment"),
        pytest.param("data: a\u2028b\x85\n\n", ServerEvent("message", "a\u2028b\x85", ""), id="ls"),
        pytest.param("id: 3\ndata: a\n\n", ServerEvent("message", "a", "3"), id="id-first"),
        pytest.param("event: end\n\n", ServerEvent("end", "", ""), id="end-without-data"),
    ],
)
def test_an_event_is_read_as_the_standard_says(text: str, event: ServerEvent) -> None:
    assert read(text.encode())[0] == [event]


@pytest.mark.parametrize(
    "text", ["", "data: a\n", ": comment\n\n", "event: log\n\n", "retry: 10\n\n", "\n\n\n"]
)
def test_nothing_is_made_of_what_is_no_event(text: str) -> None:
    assert read(text.encode())[0] == []


@given(st.lists(st.integers(0, 90), max_size=8))
def test_pieces_of_any_size_give_the_same_events(cuts: list[int]) -> None:
    text = (
        "retry: 5\r\n\r\nevent: log\nid: 1\ndata: ä\n\n: hi\n\nid: 2\ndata: b\rdata: c\n\n".encode()
    )
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    pieces = [text[start:end] for start, end in pairwise(edges)]
    assert read(*pieces)[0] == [ServerEvent("log", "ä", "1"), ServerEvent("message", "b\nc", "2")]


def test_the_position_is_kept_over_events_without_one() -> None:
    events, reader = read(b"id: 4\ndata: a\n\ndata: b\n\n", last_id="2")
    assert [event.id for event in events] == ["4", "4"]
    assert reader.last_id == "4"


def test_a_position_whose_event_was_cut_off_is_not_kept() -> None:
    assert read(b"id: 4\ndata: a\n\nid: 5\ndata: b\n", last_id="2")[1].last_id == "4"


def test_an_empty_position_forgets_the_last_one() -> None:
    assert read(b"event: reset\nid:\ndata: {}\n\n", last_id="2")[1].last_id == ""


@pytest.mark.parametrize(("text", "seconds"), [("1500", 1.5), ("soon", None), ("-1", None)])
def test_the_wait_before_a_reconnect_is_read(text: str, seconds: float | None) -> None:
    assert read(f"retry: {text}\n\n".encode())[1].retry_seconds == seconds
