"""The grader that VPPO was trained with: text first, then element by element with sympy."""

import re
from typing import Final

import sympy
from sympy.parsing.sympy_parser import (
    implicit_multiplication_application,
    parse_expr,
    standard_transformations,
)

from vppo_core.rewards.base import Reward, Verdict
from vppo_core.rewards.boxed import final_answer
from vppo_core.rewards.format import format_score
from vppo_core.rewards.math_text import (
    hendrycks_form,
    relaxed_form,
    whole_number,
    without_grouping_commas,
)

_BRACKETS: Final = "()[]"
_FRACTION: Final = re.compile("^-?[0-9]+.?/0*[1-9][0-9]*.?$")
_MAX_UNKNOWN_LETTERS: Final = 2
_SLOW_POWER: Final = re.compile(r"\^[{(]|\^[0-9]+\^|\^[0-9][0-9]+")
_RULES: Final = (*standard_transformations, implicit_multiplication_application)


def grade(response_text: str, answer: str) -> Reward:
    """1.0 when `is_equal` accepts the boxed answer.

    A missing box is graded as the word "None", so it is right where the reference is that word, and
    `no_box` everywhere else. There is no limit on time: sympy may compute for ever.

    Source: EasyR1, `examples/reward_function/math.py`, `compute_score_wo_format`.
    """
    given = final_answer(response_text)
    style = format_score(response_text)
    if is_equal("None" if given is None else given, answer):
        return Reward(1.0, style, Verdict.OK)
    return Reward(0.0, style, Verdict.NO_BOX if given is None else Verdict.WRONG)


def is_equal(given: str, reference: str) -> bool:
    """Whether an answer is the reference.

    Equal in one of two written forms, or else a tuple of the same brackets and length whose
    elements are all equal. Fractions of integers must agree as text: an unreduced one is wrong. An
    integer equals integers only. Other elements are equal when sympy simplifies their difference to
    zero; it is not asked about more than two unknown letters, nor about towers and large powers.

    Known to be refused although right: a choice letter with its text ("A. 5" for "A"), a set in
    another order, a unit that is not in the list, an unreduced fraction.

    Source: mathruler 0.1, `grader.grade_answer`, after prm800k.
    """
    if hendrycks_form(given) == hendrycks_form(reference):
        return True
    given, reference = relaxed_form(given), relaxed_form(reference)
    if given == reference:
        return True
    if not given or not reference:
        return False
    given_elements, elements = _elements(given), _elements(reference)
    if len(given_elements) != len(elements):
        return False
    if len(elements) > 1 and (given[0], given[-1]) != (reference[0], reference[-1]):
        return False
    return all(map(_is_equal_element, given_elements, elements))


def _elements(text: str) -> list[str]:
    text = without_grouping_commas(text)
    inner = text[1:-1]
    is_tuple = len(text) > 2 and text[0] in _BRACKETS and text[-1] in _BRACKETS
    if is_tuple and not any(bracket in inner for bracket in _BRACKETS):
        return [element.strip() for element in inner.split(",")]
    return [text]


def _is_equal_element(given: str, reference: str) -> bool:
    if _FRACTION.search(given) and _FRACTION.search(reference):
        return given == reference
    if _is_integer(given) != _is_integer(reference):
        return False
    return _is_zero(f"({reference})-({given})")


def _is_integer(text: str) -> bool:
    return whole_number(without_grouping_commas(text)) is not None


def _is_zero(expression: str) -> bool:
    words_removed = expression.replace("sqrt", "").replace("frac", "")
    letters = {character for character in words_removed if character.isalpha()}
    if len(letters) > _MAX_UNKNOWN_LETTERS or _SLOW_POWER.search(expression):
        return False
    try:
        difference = parse_expr(expression.replace("^", "**"), transformations=_RULES)
        return bool(sympy.simplify(difference) == 0)
    except Exception:  # the text is evaluated: it may raise anything, and then it is no mathematics
        return False
