"""How messages of a stream are written."""

import pytest

from vppo_services.api.sse import frame


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        pytest.param(b"{}", b"data: {}\n", id="one-line"),
        pytest.param(b"", b"data: \n", id="nothing"),
        pytest.param(b"a\nb", b"data: a\ndata: b\n", id="line-feed"),
        pytest.param(b"a\r\nb", b"data: a\ndata: b\n", id="both"),
        pytest.param(b"a\rb", b"data: a\ndata: b\n", id="carriage-return"),
        pytest.param(b"a\n", b"data: a\ndata: \n", id="break-at-the-end"),
        pytest.param(b"a\n\nid: 7", b"data: a\ndata: \ndata: id: 7\n", id="forged-message"),
        pytest.param(
            "a\u2028b\x0bc".encode(), "data: a\u2028b\x0bc\n".encode(), id="no-break-for-a-client"
        ),
    ],
)
def test_every_line_of_the_data_has_its_own_field(data: bytes, lines: bytes) -> None:
    assert frame("log", data, position="7") == b"event: log\nid: 7\n" + lines + b"\n"


def test_message_without_position_leaves_the_last_id_alone() -> None:
    assert frame("status", b"{}") == b"event: status\ndata: {}\n\n"


def test_empty_position_makes_the_client_forget_the_last_one() -> None:
    assert b"\nid: \n" in frame("reset", b"{}", position="")


@pytest.mark.parametrize("position", ["1\n2", "1\r", "1\0"])
def test_position_that_would_break_the_message_is_refused(position: str) -> None:
    with pytest.raises(ValueError, match="must be one line"):
        frame("log", b"{}", position=position)
