import pytest

from vppo_core.rewards.base import Reward, Verdict
from vppo_core.rewards.math import grade, is_equal
from vppo_core.rewards.math_text import hendrycks_form, relaxed_form

# Every result here is what mathruler 0.1.0 says of the pair.
RIGHT = [
    (r"\frac{1}{2}", "0.5"),
    (r"\dfrac12", "1/2"),
    (r"\frac1{72}", r"\frac{1}{72}"),
    ("x = 5", "5"),
    ("50\\%", "50"),
    (r"30^\circ", "30 degrees"),
    ("30cm^2", "30"),
    (r"30\text{ kg}", "30"),
    (r"\text{A}", "a"),
    ("1,234.0", "1234"),
    (r"\$5", "5.0"),
    ("5 million", "5*10^6"),
    (r"7\frac{3}{4}", "31/4"),
    (r"\sqrt{12}", r"2\sqrt3"),
    ("(x+1)^2", "x^2+2x+1"),
    (r"\frac{\pi}{2}", "pi/2"),
    ("(0.5,3)", r"(\frac{1}{2},3)"),
    (r"\left(1, 2\right)", "(1,2)"),
    ("3 and 4", "3, 4"),
    ("x^{2}", "x*x"),
]
WRONG = [
    ("5", "6"),
    ("(1,2)", "(1,2]"),
    ("(1,2)", "(1,2,3)"),
    ("(1,3)", "(1,2)"),
    ("0.333", "1/3"),
    ("ABC", "ACB"),
    ("", "5"),
    ("5", ""),
    ("\\frac", "5"),
]
# Right answers that the published grader refuses; kept, so that a run can be compared with theirs.
KNOWN_REFUSALS = [
    pytest.param("A. 5", "A", id="choice-letter-with-its-text"),
    pytest.param("(2,1)", "(1,2)", id="order-of-a-set"),
    pytest.param("2,1", "1,2", id="order-of-a-list"),
    pytest.param("30 kg", "30", id="unit-not-in-the-list"),
    pytest.param("5 million", "5000000", id="integer-written-as-a-product"),
    pytest.param("2/4", "1/2", id="unreduced-fraction"),
    pytest.param("(x+1)/2", r"\frac{x+1}{2}", id="compound-fraction-in-latex"),
]


@pytest.mark.parametrize(("given", "reference"), RIGHT)
def test_equal_answers_are_accepted(given: str, reference: str) -> None:
    assert is_equal(given, reference)


@pytest.mark.parametrize(("given", "reference"), WRONG)
def test_other_answers_are_refused(given: str, reference: str) -> None:
    assert not is_equal(given, reference)


@pytest.mark.parametrize(("given", "reference"), KNOWN_REFUSALS)
def test_known_false_results_stay_as_published(given: str, reference: str) -> None:
    assert not is_equal(given, reference)


def test_powers_that_sympy_would_chew_on_are_refused_unread() -> None:
    for tower in ("9^9^9", "x^{99}", "2^(99)", "2^99999999"):
        assert not is_equal(tower, "1")


def test_more_than_two_letters_are_not_given_to_sympy() -> None:
    assert is_equal("b*a", "a*b")
    assert not is_equal("c*b*a", "a*b*c")


@pytest.mark.parametrize(
    ("text", "form"),
    [
        (r"k = \dfrac 12 ", r"\frac{1}{2}"),
        ("a.b", "a.b"),
        (".5", "\\frac{1}{2}"),
        (r"12\text{ apples}", "12"),
        (r"\sqrt3", r"\sqrt{3}"),
        ("-3/4", r"\frac{-3}{4}"),
        ("3/04", "3/04"),
    ],
)
def test_the_strict_form(text: str, form: str) -> None:
    assert hendrycks_form(text) == form


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("7 3/4", "7+3/4"),
        ("- 2 Or x", "-2orx"),
        ("2 or 3", "2,3"),
        ("5 feet", "5"),
        (r"3 \times 4", "3*4"),
        ("1,234,567.0", "1234567"),
        (r"\frac{1}{2}", "1/2"),
    ],
)
def test_the_loose_form(text: str, form: str) -> None:
    assert relaxed_form(text) == form


def test_a_response_gets_accuracy_format_and_verdict() -> None:
    assert grade(r"<think>so</think> \boxed{2}", "2") == Reward(1.0, 1.0, Verdict.OK)
    assert grade(r"\boxed{3}", "2") == Reward(0.0, 0.0, Verdict.WRONG)
    assert grade("two", "2") == Reward(0.0, 0.0, Verdict.NO_BOX)


def test_a_missing_box_is_the_word_none_as_published() -> None:
    assert grade("no answer", "None") == Reward(1.0, 0.0, Verdict.OK)
