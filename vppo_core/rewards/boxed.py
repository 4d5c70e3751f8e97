r"""The final answer of a response: what stands in its last `\boxed{...}`."""

import re
from typing import Final

_BOX: Final = "\\boxed{"
_TAG_CHARACTER: Final = re.compile("([<>/])")


def clean_whitespace(text: str) -> str:
    r"""The text without white space around `<`, `>` and `/`.

    Equal to replacing `\s*(<|>|/)\s*` by the bare character, but linear in the length: that pattern
    is quadratic in a run of blanks, which a degenerate policy does write.

    Source: EasyR1, `examples/reward_function/math.py`.
    """
    parts = _TAG_CHARACTER.split(text)
    last = len(parts) - 1
    for index in range(0, len(parts), 2):
        if index > 0:
            parts[index] = parts[index].lstrip()
        if index < last:
            parts[index] = parts[index].rstrip()
    return "".join(parts)


def last_boxed(text: str) -> str | None:
    r"""Content of the last `\boxed{...}`, stripped; None where there is none.

    Braces are balanced, so `\boxed{\frac{1}{2}}` gives the whole fraction. When the last box never
    closes (an answer cut at the token limit) the result is None, whatever boxes came before.
    """
    opening = text.rfind(_BOX)
    if opening < 0:
        return None
    start = opening + len(_BOX)
    depth = 1
    for position in range(start, len(text)):
        if text[position] == "{":
            depth += 1
        elif text[position] == "}":
            depth -= 1
            if depth == 0:
                return text[start:position].strip()
    return None


def final_answer(response_text: str) -> str | None:
    """The boxed answer of a response as every grader here reads it; None without a box."""
    return last_boxed(clean_whitespace(response_text))
