r"""Two ways to write an answer down, so that equal answers become equal text.

Source: `hendrycks_form` follows the MATH benchmark (Hendrycks et al. 2021, math_equivalence), and
`relaxed_form` prm800k's grader; mathruler 0.1, which the authors of VPPO train with, uses both.
"""

import logging
import re
from typing import Final

from pylatexenc.latex2text import LatexNodes2Text

# A policy writes broken LaTeX by the thousand; each piece of it would be a line in the log.
logging.getLogger("pylatexenc").setLevel(logging.ERROR)

_WHOLE_TEXT: Final = re.compile(r"^\\text\{(.+?)\}$")
_DROPPED: Final = ("\n", "\\!")
_DROPPED_LATER: Final = ("\\left", "\\right", "^{\\circ}", "^\\circ", "\\$")
_WORD_UNIT: Final = "\\text{ "  # with the blank: in the benchmark that is always a unit
_WHOLE_QUOTIENT: Final = re.compile(r"(-?(?:0|[1-9][0-9]*))/(-?(?:0|[1-9][0-9]*))")

_UNITS: Final = re.compile(
    "(?:degree|cm|centimeter|meter|mile|second|minute|hour|day|week|month|year|foot|feet|inch|yard)"
    r"(?:es)?s? *(?:\^[0-9]+)?"
)
_SCALES: Final = (("million", "*10^6"), ("billion", "*10^9"), ("trillion", "*10^12"))
_SYMBOLS: Final = (
    ("√", "sqrt"),
    ("π", "pi"),
    ("∞", "inf"),
    ("∪", "U"),
    ("·", "*"),
    ("×", "*"),
)
_GROUPING_COMMA: Final = re.compile(r"(?<=[0-9]),(?=[0-9]{3}(?![0-9]))")


def hendrycks_form(answer: str) -> str:
    r"""Strict form: LaTeX stays LaTeX, only its spelling is made uniform.

    `\dfrac12`, `\frac{1}{2}`, `1/2` and `0.5` are the same; `x = 5` is `5`; degrees, percent signs
    and a unit in `\text{ ...}` go away.
    """
    text = _unwrap_text(answer.strip()).strip()
    for mark in _DROPPED:
        text = text.replace(mark, "")
    text = text.replace("\\\\", "\\").replace("tfrac", "frac").replace("dfrac", "frac")
    for mark in _DROPPED_LATER:
        text = text.replace(mark, "")
    if text.count(_WORD_UNIT) == 1:
        text = text.partition(_WORD_UNIT)[0]
    text = text.replace("\\%", "").replace("%", "").replace(" .", " 0.").replace("{.", "{0.")
    if text.startswith("."):
        text = "0" + text
    left, _, right = text.partition("=")
    if text.count("=") == 1 and len(left) <= 2:
        text = right
    return _uniform_fractions(text)


def _uniform_fractions(text: str) -> str:
    text = re.sub(r"\\sqrt([^{\\])", r"\\sqrt{\1}", text).replace(" ", "")
    text = re.sub(r"\\frac([^{\\])([^{\\])", r"\\frac{\1}{\2}", text)
    text = re.sub(r"\\frac([^{\\])\{", r"\\frac{\1}{", text)
    if text == "0.5":
        return "\\frac{1}{2}"
    quotient = _WHOLE_QUOTIENT.fullmatch(text)
    return f"\\frac{{{quotient[1]}}}{{{quotient[2]}}}" if quotient else text


def relaxed_form(answer: str) -> str:
    r"""Loose form: plain text that sympy may read, lower case, without blanks, braces and units.

    " or " and " and " separate elements like a comma; `7 3/4` is `7+3/4`; `1,234.0` is `1234`.
    """
    text = _unwrap_text(answer)
    for mark in ("\\$", "\\%", "$", "%"):
        text = text.replace(mark, "")
    text = text.replace(" or ", " , ").replace(" and ", " , ")
    for word, factor in _SCALES:
        text = text.replace(word, factor)
    text = re.sub(r"\^ *\\circ", "", _UNITS.sub("", text))
    if text.startswith("{") and text.endswith("}"):
        text = text[1:-1]
    text = whole_number(re.sub(r",\\! *", "", text)) or text
    if "\\" in text:
        text = _latex_as_text(text)
    text = re.sub("- *", "-", text)
    text = re.sub("([0-9]) +([0-9])", r"\1+\2", text)
    text = text.replace(" ", "").replace("{", "").replace("}", "").lower()
    return whole_number(without_grouping_commas(text)) or text


def whole_number(text: str) -> str | None:
    """The integer that a text like `5.0` or `1e3` stands for; None where it is not one."""
    try:
        number = float(text)
        nearest = round(number)
    except (ValueError, OverflowError):
        return None
    return str(nearest) if abs(number - nearest) <= 1e-7 else None


def without_grouping_commas(text: str) -> str:
    """`1,234,567` as `1234567`; commas between elements stay."""
    return _GROUPING_COMMA.sub("", text)


def _unwrap_text(text: str) -> str:
    whole = _WHOLE_TEXT.search(text)
    return whole[1] if whole else text


def _latex_as_text(text: str) -> str:
    # The blank before a fraction makes `7\frac{3}{4}` a mixed number and not 73/4.
    spaced = text.replace("\\tfrac", "\\frac").replace("\\dfrac", "\\frac")
    try:
        plain: str = LatexNodes2Text().latex_to_text(spaced.replace("\\frac", " \\frac"))
    except (
        Exception
    ):  # broken LaTeX raises many things (a KeyError, deep recursion): it stays as is
        return text
    for symbol, name in _SYMBOLS:
        plain = plain.replace(symbol, name)
    return plain.strip()
