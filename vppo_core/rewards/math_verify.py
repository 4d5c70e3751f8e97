"""A grader that asks the math-verify package: sets, intervals, units and choice letters too."""

import logging

from math_verify import parse, verify

from vppo_core.rewards.base import Reward, Verdict
from vppo_core.rewards.boxed import final_answer
from vppo_core.rewards.exact_match import same_text
from vppo_core.rewards.format import format_score

# The package warns once that its own alarm clock is off; whoever calls a grader has a better one.
for _name in ("math_verify.parser", "math_verify.grader"):
    logging.getLogger(_name).setLevel(logging.ERROR)


def grade(response_text: str, answer: str) -> Reward:
    """1.0 when the boxed answer equals the reference as text or as mathematics.

    A missing box is `no_box` and never right. An answer that math-verify cannot read is wrong.
    Its time-outs are switched off: they are signals, which only the main thread may use, and they
    do not end a computation that stays inside C code.

    Source: math-verify 0.9, `parse` and `verify`.
    """
    given = final_answer(response_text)
    style = format_score(response_text)
    if given is None:
        return Reward(0.0, style, Verdict.NO_BOX)
    if same_text(given, answer) or verify(_parse(answer), _parse(given), timeout_seconds=None):
        return Reward(1.0, style, Verdict.OK)
    return Reward(0.0, style, Verdict.WRONG)


def _parse(text: str) -> list[object]:
    candidates: list[object] = parse(f"\\boxed{{{text}}}", parsing_timeout=None)
    return candidates
