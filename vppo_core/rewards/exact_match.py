"""A grader that compares text: for choice letters, words and labels."""

from vppo_core.rewards.base import Reward, Verdict
from vppo_core.rewards.boxed import final_answer
from vppo_core.rewards.format import format_score


def grade(response_text: str, answer: str) -> Reward:
    """1.0 when the boxed text is the reference, letter case and blanks aside.

    A missing box is `no_box` and never right, whatever the reference is.
    """
    given = final_answer(response_text)
    style = format_score(response_text)
    if given is None:
        return Reward(0.0, style, Verdict.NO_BOX)
    if same_text(given, answer):
        return Reward(1.0, style, Verdict.OK)
    return Reward(0.0, style, Verdict.WRONG)


def same_text(first: str, second: str) -> bool:
    """Whether two texts agree when letter case and the amount of white space do not count."""
    return _plain(first) == _plain(second)


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()
