import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vppo_core.rewards.boxed import clean_whitespace, final_answer, last_boxed
from vppo_core.rewards.format import format_score

TEXT = st.text(alphabet="<>/ \t\n\x1f\u2003a{}", max_size=60)
PIECES = st.lists(
    st.sampled_from(["<think>", "</think>", "\\boxed{", "{", "}", "a", " ", "\n"]), max_size=12
).map("".join)


@given(TEXT)
def test_white_space_is_cleaned_as_the_published_pattern_does(text: str) -> None:
    assert clean_whitespace(text) == re.sub(r"\s*(<|>|/)\s*", r"\1", text)


def test_a_long_run_of_blanks_is_cleaned_in_linear_time() -> None:
    text = "a" + " " * 1_000_000 + "b"
    assert clean_whitespace(text) == text


@pytest.mark.parametrize(
    ("text", "content"),
    [
        pytest.param(r"so \boxed{4}.", "4", id="plain"),
        pytest.param(r"\boxed{1} then \boxed{ 2 }", "2", id="last-one-stripped"),
        pytest.param(r"\boxed{\frac{1}{2}} }", r"\frac{1}{2}", id="nested-braces"),
        pytest.param(r"\boxed{}", "", id="empty"),
        pytest.param("no box", None, id="none"),
        pytest.param(r"\boxed{1} and \boxed{\frac{1}{2", None, id="last-never-closes"),
    ],
)
def test_the_last_box_is_read_with_balanced_braces(text: str, content: str | None) -> None:
    assert last_boxed(text) == content


@given(PIECES, st.text(alphabet="ab+ ", max_size=8))
def test_a_box_at_the_end_wins_over_all_that_was_before(before: str, content: str) -> None:
    assert last_boxed(f"{before}\\boxed{{{content}}} done") == content.strip()


def test_the_final_answer_has_no_blanks_around_a_slash() -> None:
    assert final_answer(r"\boxed{ 1 / 2 }") == "1/2"


@given(PIECES)
def test_format_is_scored_as_the_published_pattern_does(text: str) -> None:
    pattern = re.compile(r"<think>.*</think>.*\\boxed\{.*\}.*", re.DOTALL)
    assert format_score(text) == float(bool(pattern.fullmatch(clean_whitespace(text))))


def test_format_forgives_blanks_around_the_tags() -> None:
    assert format_score(" < think > so\n</think> \\boxed{1}\n") == 1.0
