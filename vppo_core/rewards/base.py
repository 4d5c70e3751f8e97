"""What a grader is, and what it says of an answer."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol


class Verdict(StrEnum):
    """What became of the grading of one answer."""

    OK = "ok"
    WRONG = "wrong"
    NO_BOX = "no_box"
    TIMEOUT = "timeout"
    ERROR = "error"


FAILURES: Final = frozenset({Verdict.TIMEOUT, Verdict.ERROR})
"""Verdicts that say nothing about the answer: the grader did not finish."""


@dataclass(frozen=True, slots=True)
class Reward:
    """What a grader gives one answer; both parts are in [0, 1]."""

    accuracy: float
    format: float
    verdict: Verdict


class GradeFn(Protocol):
    """Grades one answer. May raise and may take forever: whoever calls it owns the time limit."""

    def __call__(self, response_text: str, answer: str, /) -> Reward:
        """The reward of `response_text` where `answer` is the reference."""
        ...


def combine(reward: Reward, format_weight: float) -> float:
    """The number that the advantage is made of: (1 - w) * accuracy + w * format.

    Source: VPPO trains with w = 0 (EasyR1 `compute_score_wo_format`), PAPO with w = 0.1.
    """
    return (1.0 - format_weight) * reward.accuracy + format_weight * reward.format
