"""Readers of growing files: nothing twice, nothing lost, and a cut file is noticed."""

from pathlib import Path

import pytest

from vppo_core.archive.errors import BadCursorError
from vppo_services.local import lines as room
from vppo_services.local.lines import read_lines


def whole(text: bytes) -> str | None:
    return text.decode().strip() or None


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "metrics.jsonl"
    path.write_text("one\ntwo\nthree\n")
    return path


def test_lines_come_in_pages_that_join(file: Path) -> None:
    first = read_lines(file, whole, after="", limit=2)
    second = read_lines(file, whole, after=first.end, limit=2)
    assert first.items + second.items == ("one", "two", "three")
    assert read_lines(file, whole, after=second.end, limit=2).items == ()
    assert read_lines(file, whole, after=second.end, limit=2).end == second.end


def test_each_position_leads_to_the_line_behind_it(file: Path) -> None:
    page = read_lines(file, whole, after="", limit=10)
    rest = [read_lines(file, whole, after=one, limit=10).items for one in page.positions]
    assert rest == [("two", "three"), ("three",), ()]


def test_a_line_that_is_still_written_waits(file: Path) -> None:
    with file.open("a") as stream:
        stream.write("fo")
    page = read_lines(file, whole, after="", limit=10)
    assert page.items == ("one", "two", "three")
    with file.open("a") as stream:
        stream.write("ur\n")
    assert read_lines(file, whole, after=page.end, limit=10).items == ("four",)


def test_a_line_without_a_value_is_passed_over_but_counts_as_read(file: Path) -> None:
    file.write_text("\n\none\n\n")
    page = read_lines(file, whole, after="", limit=1)
    assert page.items == ("one",)
    assert read_lines(file, whole, after=page.end, limit=1).end != page.end


def test_a_shorter_file_begins_again(file: Path) -> None:
    end = read_lines(file, whole, after="", limit=10).end
    file.write_text("one\n")
    page = read_lines(file, whole, after=end, limit=10)
    assert page.is_reset
    assert page.items == ("one",)


def test_other_lines_in_the_same_place_begin_again(file: Path) -> None:
    end = read_lines(file, whole, after="", limit=10).end
    file.write_text("one\ntwo\nTHREE\nfour\nfive\n")
    page = read_lines(file, whole, after=end, limit=10)
    assert page.is_reset
    assert page.items == ("one", "two", "THREE", "four", "five")


def test_a_reader_before_the_cut_goes_on(file: Path) -> None:
    end = read_lines(file, whole, after="", limit=1).end
    part = file.with_suffix(".part")
    part.write_text("one\nTWO\n")
    part.replace(file)  # another inode, the same beginning
    page = read_lines(file, whole, after=end, limit=10)
    assert not page.is_reset
    assert page.items == ("TWO",)


def test_an_emptied_file_is_a_reset_without_lines(file: Path) -> None:
    end = read_lines(file, whole, after="", limit=10).end
    file.write_text("")
    page = read_lines(file, whole, after=end, limit=10)
    assert (page.is_reset, page.items, page.end) == (True, (), "")


def test_a_file_that_is_not_there_has_no_lines(tmp_path: Path) -> None:
    page = read_lines(tmp_path / "none", whole, after="4.0000abcd", limit=10)
    assert (page.items, page.end, page.is_reset) == ((), "4.0000abcd", False)


def test_a_line_beyond_the_limit_is_passed_over(file: Path) -> None:
    file.write_bytes(b"x" * (2 * room.MAX_LINE_BYTES + 7) + b"\nshort\n")
    assert read_lines(file, whole, after="", limit=10).items == ("short",)


@pytest.mark.parametrize(
    "after", ["x", "-1.00000000", "5", "5.zzzzzzzz", "../../etc", "5.00000000\n", "f" * 40]
)
def test_a_position_that_no_reply_gave_is_refused(file: Path, after: str) -> None:
    with pytest.raises(BadCursorError, match="must come from an earlier reply"):
        read_lines(file, whole, after=after, limit=10)
